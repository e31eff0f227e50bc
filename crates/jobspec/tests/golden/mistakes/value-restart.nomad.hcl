job "a" {
  group "b" {
    restart {
      attempts = 0
      mode     = "delay"
      interval = "4s"
    }
    task "c" {
      driver = "exec"
      restart {
        mode = "dely"
      }
    }
  }
}
