# A command that does not exist.
variable "driver" { type = string }

job "missing" {
  type = "batch"
  group "group" {
    restart { attempts = 3 }
    reschedule { attempts = 0 }
    task "task" {
      driver = var.driver
      config {
        command = "no-such-command"
      }
    }
  }
}
