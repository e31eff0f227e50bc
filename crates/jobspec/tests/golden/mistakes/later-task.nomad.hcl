job "a" {
  group "b" {
    task "c" {
      driver = "exec"
      leader = 1
      shutdown_delay = 1
      artifact {
      }
      dispatch_payload {
      }
      dynamic {
      }
      lifecycle {
      }
      logs {
      }
      secret {
      }
      service {
      }
      template {
      }
      resources {
        secrets = 1
        dynamic {
        }
      }
      restart {
        render_templates = 1
        dynamic {
        }
      }
    }
  }
}
