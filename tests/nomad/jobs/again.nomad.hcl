# Fails at its first two starts.
variable "driver" { type = string }

job "again" {
  type = "batch"
  group "group" {
    restart {
      attempts = 10
      delay    = "1s"
      interval = "10m"
      mode     = "fail"
    }
    reschedule { attempts = 0 }
    task "task" {
      driver = var.driver
      config {
        command = "/bin/sh"
        args    = ["-c", "echo x >> local/starts; n=$(wc -l < local/starts); test $n -gt 2 || exit 4$n"]
      }
      resources {
        cpu    = 300
        memory = 32
      }
    }
  }
}
