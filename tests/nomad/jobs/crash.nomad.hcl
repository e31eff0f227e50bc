# One task that stays and one that ends, when a file appears, with a code of its own.
variable "driver" { type = string }

job "crash" {
  type = "batch"
  group "stays" {
    restart { attempts = 0 }
    reschedule { attempts = 0 }
    task "stays" {
      driver = var.driver
      config {
        command = "/bin/sh"
        args    = ["-c", "while :; do sleep 1; done"]
      }
      resources {
        cpu    = 300
        memory = 32
      }
    }
  }
  group "ends" {
    restart {
      attempts = 0
      mode     = "fail"
    }
    reschedule { attempts = 0 }
    task "ends" {
      driver = var.driver
      config {
        command = "/bin/sh"
        args    = ["-c", "until test -e $NOMAD_ALLOC_DIR/end; do sleep 0.2; done; exit 23"]
      }
      resources {
        cpu    = 300
        memory = 32
      }
    }
  }
}
