# A reserved core.
variable "driver" { type = string }

job "cores" {
  type = "batch"
  group "group" {
    restart { attempts = 0 }
    reschedule { attempts = 0 }
    task "task" {
      driver = var.driver
      config {
        command = "/bin/sh"
        args    = ["-c", "grep Cpus_allowed_list /proc/self/status; echo cores=$NOMAD_CPU_CORES"]
      }
      resources {
        cores  = 1
        memory = 32
      }
    }
  }
}
