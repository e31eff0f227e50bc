# Sleeps for an hour under exec; Ctrl-C ends it before that.
#
#   encamp run examples/sleep.nomad.hcl

job "sleep" {
  type = "service"

  group "sleep" {
    task "sleep" {
      driver = "exec"

      config {
        command = "/bin/sleep"
        args    = ["3600"]
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
