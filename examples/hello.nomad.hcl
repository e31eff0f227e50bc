# Writes one line to its standard output and one to its standard error; each comes out where the command's own does.
#
#   encamp run examples/hello.nomad.hcl 2>/dev/null

job "hello" {
  type = "batch"

  group "hello" {
    task "hello" {
      driver = "exec2"

      config {
        command = "/bin/sh"
        args    = ["-c", "echo hello, out; echo hello, err >&2"]
      }
    }
  }
}
