job "a" {
  task "c" {
    driver = "exec"
    resources {
      cpu   = 100
      cores = 1
    }
  }
}
