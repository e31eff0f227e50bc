# Two groups, one of them twice, and tasks for every moment of its life.
job "many" {
  type = "batch"

  group "web" {
    count            = 2
    shutdown_delay   = "2s"
    max_run_duration = "1h"

    ephemeral_disk {
      size = 500
    }

    task "prepare" {
      driver = "exec"
      lifecycle {
        hook = "prestart"
      }
    }
    task "proxy" {
      driver = "exec2"
      lifecycle {
        hook    = "prestart"
        sidecar = true
      }
      logs {
        max_files     = 20
        max_file_size = 20
      }
    }
    task "server" {
      driver         = "exec"
      leader         = true
      shutdown_delay = "500ms"
    }
    task "greet" {
      driver = "exec"
      lifecycle {
        hook    = "poststart"
        sidecar = false
      }
      logs {
        disabled = true
      }
    }
    task "sweep" {
      driver = "exec"
      lifecycle {
        hook = "poststop"
      }
    }
  }

  group "none" {
    count = 0
    task "idle" {
      driver = "exec"
    }
  }
}
