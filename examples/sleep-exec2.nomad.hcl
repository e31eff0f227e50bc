# Sleeps for an hour under exec2; Ctrl-C ends it before that.
#
#   encamp run examples/sleep-exec2.nomad.hcl

job "sleep-exec2" {
  type = "service"

  group "sleep" {
    task "sleep" {
      driver = "exec2"

      config {
        command = "sleep"
        args    = ["3600"]
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
