# Three allocations of one group.
variable "driver" { type = string }

job "three" {
  type = "batch"
  group "group" {
    count = 3
    restart { attempts = 0 }
    reschedule { attempts = 0 }
    task "task" {
      driver = var.driver
      config {
        command = "/bin/sh"
        args    = ["-c", "echo index $NOMAD_ALLOC_INDEX"]
      }
      resources {
        cpu    = 100
        memory = 32
      }
    }
  }
}
