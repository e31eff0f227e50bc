# Counts what lies in a directory that the operator of the machine lends to tasks.
#
#   encamp run -c examples/encamp.d examples/volumes.nomad.hcl

job "volumes" {
  type = "batch"

  group "count" {
    volume "shared" {
      type      = "host"
      source    = "share"
      read_only = true
    }

    task "count" {
      driver = "exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "ls /srv/shared | wc -l"]
      }

      volume_mount {
        volume      = "shared"
        destination = "/srv/shared"
      }
    }
  }
}
