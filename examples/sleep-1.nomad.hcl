# Runs a program of the host for a second.
#
#   encamp run examples/sleep-1.nomad.hcl

job "sleep-1" {
  type = "batch"

  group "example" {
    task "example" {
      driver = "exec"

      config {
        # When running a binary that exists on the host, the path must be absolute.
        command = "/bin/sleep"
        args    = ["1"]
      }
    }
  }
}
