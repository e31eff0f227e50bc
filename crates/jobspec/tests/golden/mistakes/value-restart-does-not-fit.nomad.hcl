job "a" {
  group "b" {
    restart {
      attempts = 2
      delay    = "16m"
    }
    task "c" {
      driver = "exec"
    }
  }
}
