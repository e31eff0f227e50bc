# Dispatched with a file and a word.
variable "driver" { type = string }

job "dispatch" {
  type = "batch"
  parameterized {
    payload       = "required"
    meta_required = ["word"]
  }
  group "group" {
    restart { attempts = 0 }
    reschedule { attempts = 0 }
    task "task" {
      driver = var.driver
      dispatch_payload { file = "sent.txt" }
      config {
        command = "/bin/sh"
        args    = ["-c", "cat $NOMAD_TASK_DIR/sent.txt; echo word=$NOMAD_META_word"]
      }
      resources {
        cpu    = 300
        memory = 32
      }
    }
  }
}
