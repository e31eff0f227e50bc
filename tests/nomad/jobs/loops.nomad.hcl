# Runs until it is ended, and can be told by its last word from any other.
variable "driver" { type = string }
variable "mark" { type = string }
variable "attempts" {
  type    = number
  default = 5
}
variable "template" {
  type    = string
  default = "go"
}

job "loops" {
  type = "batch"
  group "group" {
    restart {
      attempts = var.attempts
      delay    = "1s"
      interval = "10m"
      mode     = "fail"
    }
    reschedule { attempts = 0 }
    task "task" {
      driver       = var.driver
      kill_timeout = "4s"
      config {
        command = "/bin/sh"
        args    = ["-c", "trap '' INT TERM; echo x >> $NOMAD_ALLOC_DIR/starts; echo y > $NOMAD_SECRETS_DIR/z && echo y > $NOMAD_TASK_DIR/z && echo up; while :; do sleep 1; done; : ${var.mark}"]
      }
      template {
        destination = "local/go"
        data        = var.template
        change_mode = "noop"
      }
      resources {
        cpu    = 300
        memory = 32
      }
    }
  }
}
