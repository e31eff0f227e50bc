# What reaches a task of the environment.
variable "driver" { type = string }

job "env" {
  type = "batch"
  group "group" {
    restart { attempts = 0 }
    reschedule { attempts = 0 }
    task "task" {
      driver = var.driver
      config {
        command = "env"
      }
      env {
        GREETING = "hello from ${NOMAD_TASK_NAME}"
        LONGER   = "${PATH}:/opt/bin"
      }
      resources {
        cpu    = 300
        memory = 32
      }
    }
  }
}
