# Logs that nobody collects.
variable "driver" { type = string }

job "quiet" {
  type = "batch"
  group "group" {
    restart { attempts = 0 }
    reschedule { attempts = 0 }
    task "task" {
      driver = var.driver
      config {
        command = "/bin/sh"
        args    = ["-c", "echo to nobody; echo done > $NOMAD_ALLOC_DIR/done"]
      }
      logs { disabled = true }
      resources {
        cpu    = 300
        memory = 32
      }
    }
  }
}
