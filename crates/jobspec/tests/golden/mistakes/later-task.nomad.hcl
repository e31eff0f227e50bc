job "a" {
  group "b" {
    task "c" {
      driver = "exec"
      kind = 1
      leader = 1
      shutdown_delay = 1
      action {
      }
      affinity {
      }
      artifact {
      }
      constraint {
      }
      consul {
      }
      csi_plugin {
      }
      dispatch_payload {
      }
      dynamic {
      }
      identity {
      }
      lifecycle {
      }
      logs {
      }
      scaling {
      }
      schedule {
      }
      secret {
      }
      service {
      }
      template {
      }
      vault {
      }
      resources {
        disk = 1
        iops = 1
        secrets = 1
        device {
        }
        dynamic {
        }
        network {
        }
        numa {
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
