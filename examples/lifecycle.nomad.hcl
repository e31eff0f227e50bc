# What starts when: a prestart task prepares, a sidecar runs beside the main task, a poststart task waits for both, and a poststop task has the
# last word, also when the main task fails. Each line of output begins with its task's name.
#
#   encamp run examples/lifecycle.nomad.hcl

job "lifecycle" {
  type = "batch"

  group "report" {
    task "prepare" {
      driver = "exec2"

      lifecycle {
        hook = "prestart"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "echo 'three words here' > $NOMAD_ALLOC_DIR/data/input; echo prepared"]
      }
    }

    task "clock" {
      driver = "exec2"

      lifecycle {
        hook    = "prestart"
        sidecar = true
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "trap 'echo stopped; exit 0' INT; while :; do sleep 0.1; done"]
      }
    }

    task "count" {
      driver = "exec2"

      config {
        command = "/bin/sh"
        args    = ["-c", "wc -w < $NOMAD_ALLOC_DIR/data/input; touch $NOMAD_ALLOC_DIR/data/counted; until test -e $NOMAD_ALLOC_DIR/data/seen; do sleep 0.1; done"]
      }
    }

    task "watch" {
      driver = "exec2"

      lifecycle {
        hook = "poststart"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "until test -e $NOMAD_ALLOC_DIR/data/counted; do sleep 0.1; done; sleep 0.5; echo both run; touch $NOMAD_ALLOC_DIR/data/seen"]
      }
    }

    task "tidy" {
      driver = "exec2"

      lifecycle {
        hook = "poststop"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "echo the last word; cat $NOMAD_ALLOC_DIR/logs/count.stdout.0"]
      }
    }
  }
}
