job "a" {
  group "b" {
    restart {
      interval = "1d"
      delay    = "soon"
    }
    task "c" {
      driver       = "exec"
      kill_timeout = "-5s"
      restart {
        delay    = -1
        interval = "9999999h"
      }
    }
  }
}
