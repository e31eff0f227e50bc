job "a" {
  group "b" {
    task "c" {
      driver = "exec"
      dispatch_payload {
      }
      secret {
      }
      service {
      }
      resources {
        secrets = 1
      }
      restart {
        render_templates = 1
      }
    }
  }
}
