job "a" {
  task "c" {
    driver = "exec"
    volume_mount {
      volume      = "data"
      destination = "/y"
    }
  }
}
