# Prints the environment of a task and ends. The task runs under exec2: it sees the host's files only as far as they
# are unveiled to it, as a user of its own.
#
#   encamp run examples/env.nomad.hcl

job "env" {
  type = "batch"

  group "env" {
    task "env" {
      driver = "exec2"

      config {
        command = "env"
      }

      env {
        GREETING = "hello from the job file"
      }
    }
  }
}
