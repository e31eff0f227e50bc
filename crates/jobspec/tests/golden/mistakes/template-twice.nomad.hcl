job "t" {
  type = "batch"

  task "web" {
    driver = "exec"

    config {
      command = "x"
    }

    template {
      data        = "x"
      destination = "local/x"
    }
    template {
      data        = "y"
      destination = "local/x"
    }
  }
}
