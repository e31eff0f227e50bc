job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      env = { A = 1, "A" = 2 }
    }
  }
}
