job "a" {
  group "b" {
    task "c" {
      driver = "exec"
      artifact {
      }
      dispatch_payload {
      }
      dynamic {
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
