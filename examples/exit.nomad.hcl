# Ends with exit code 7, and so does the command. No attempt is made to start it again.
#
#   encamp run examples/exit.nomad.hcl; echo $?

job "exit" {
  type = "batch"

  group "exit" {
    restart {
      attempts = 0
      mode     = "fail"
    }

    task "exit" {
      driver = "exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "exit 7"]
      }
    }
  }
}
