job "a" {
  group "b" {
    max_run_duration = 1
    shutdown_delay = 1
    dynamic {
    }
    secret {
    }
    service {
    }
    task "c" {
      driver = "exec"
    }
  }
}
