job "a" {
  task "c" {
    driver = "exec"
    resources {
      cores = 0
    }
  }
}
