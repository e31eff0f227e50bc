# A shell command that ends.
variable "driver" { type = string }
variable "script" { type = string }
variable "memory" {
  type    = number
  default = 32
}

job "ends" {
  type = "batch"
  group "group" {
    restart {
      attempts = 0
      mode     = "fail"
    }
    reschedule { attempts = 0 }
    task "task" {
      driver = var.driver
      config {
        command = "/bin/sh"
        args    = ["-c", var.script]
      }
      resources {
        cpu    = 300
        memory = var.memory
      }
    }
  }
}
