# Another user, and one capability.
variable "driver" { type = string }
variable "drop" { type = list(string) }

job "user" {
  type = "batch"
  group "group" {
    restart { attempts = 0 }
    reschedule { attempts = 0 }
    task "task" {
      driver = var.driver
      user   = "daemon"
      config {
        command  = "/bin/sh"
        args     = ["-c", "echo $USER $(id -u); grep CapEff /proc/self/status"]
        cap_drop = var.drop
        cap_add  = ["net_bind_service"]
      }
      resources {
        cpu    = 300
        memory = 32
      }
    }
  }
}
