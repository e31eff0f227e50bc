job "a" {
  group "many" {
    count = 1001
    max_run_duration = "1h"
    task "c" {
      driver = "exec"
    }
  }
}
