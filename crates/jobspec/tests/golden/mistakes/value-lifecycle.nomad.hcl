job "a" {
  type = "batch"
  group "without-main" {
    max_run_duration = "0s"
    task "before" {
      driver = "exec"
      lifecycle {
        hook = "prestart"
      }
    }
  }
  group "two-leaders" {
    task "one" {
      driver = "exec"
      leader = true
    }
    task "two" {
      driver = "exec"
      leader = true
    }
  }
  group "wrong" {
    task "hook" {
      driver = "exec"
      lifecycle {
        hook    = "poststrat"
        sidecar = "maybe"
      }
    }
    task "no-hook" {
      driver = "exec"
      lifecycle {
        sidecar = true
      }
    }
    task "logs" {
      driver = "exec"
      logs {
        max_files     = 0
        max_file_size = -1
        max_size      = 3
      }
    }
    task "much" {
      driver = "exec"
      logs {
        max_files     = 30
        max_file_size = 10
      }
    }
    task "main" {
      driver = "exec"
      leader = 3
      shutdown_delay = "-1s"
    }
  }
  task "alone" {
    driver = "exec"
    lifecycle {
      hook = "poststop"
    }
  }
}
