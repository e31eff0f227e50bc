# The first example of the exec driver's documentation: a command by its bare name, found in the task's local directory. Here a
# template brings it; on a cluster an artifact might.
#
#   encamp run examples/webservice.nomad.hcl

job "webservice" {
  type = "batch"

  group "webservice" {
    task "webservice" {
      driver = "exec"

      config {
        command = "my-binary"
        args    = ["-flag", "1"]
      }

      template {
        destination = "local/my-binary"
        perms       = "0755"
        data        = <<-EOH
          #!/bin/sh
          echo "{{ env "NOMAD_TASK_NAME" }} runs as $(id -un) with $@"
        EOH
      }
    }
  }
}
