job "a" {
  group "b" {
    restart {
      delay = "10m"
    }
    task "c" {
      driver = "exec"
      restart {
        attempts = 4
      }
    }
  }
}
