# A script that is downloaded and run.
variable "driver" { type = string }
variable "source" { type = string }
variable "command" { type = string }
variable "args" { type = list(string) }

job "artifact" {
  type = "batch"
  group "group" {
    restart { attempts = 0 }
    reschedule { attempts = 0 }
    task "task" {
      driver = var.driver
      config {
        command = var.command
        args    = var.args
      }
      artifact {
        source = var.source
        mode   = "any"
        options { archive = "false" }
      }
      resources {
        cpu    = 300
        memory = 32
      }
    }
  }
}
