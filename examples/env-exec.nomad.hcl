# Prints the environment of a task and ends. The task runs under exec: in a root file system of its own, as the user
# nobody.
#
#   encamp run examples/env-exec.nomad.hcl

job "env-exec" {
  type = "batch"

  group "env" {
    task "env" {
      driver = "exec"

      config {
        command = "/usr/bin/env"
      }

      env {
        GREETING = "hello from the job file"
      }
    }
  }
}
