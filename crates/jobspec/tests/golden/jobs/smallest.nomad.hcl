job "a" {
  task "b" {
    driver = "exec"
  }
}
