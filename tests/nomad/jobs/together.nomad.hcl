# One task of each driver in one group: a question and its answer by way of the shared directory.
job "together" {
  type = "batch"
  group "group" {
    restart { attempts = 0 }
    reschedule { attempts = 0 }
    task "asks" {
      driver = "exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo question > $NOMAD_ALLOC_DIR/data/asked; until cat $NOMAD_ALLOC_DIR/data/answered 2>/dev/null; do sleep 0.2; done"]
      }
      resources {
        cpu    = 300
        memory = 32
      }
    }
    task "answers" {
      driver = "exec2"
      config {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          until test -s $NOMAD_ALLOC_DIR/data/asked; do sleep 0.2; done
          read asked < $NOMAD_ALLOC_DIR/data/asked
          echo "asked: $asked"
          echo "the answer to $asked is 42" > $NOMAD_ALLOC_DIR/data/new
          mv $NOMAD_ALLOC_DIR/data/new $NOMAD_ALLOC_DIR/data/answered
        EOT
        ]
      }
      resources {
        cpu    = 300
        memory = 32
      }
    }
  }
}
