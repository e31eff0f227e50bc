# Shares the host's processes and System V IPC: the task is not PID 1, and its namespaces are those of the host.
#
#   encamp run examples/modes.nomad.hcl

job "modes" {
  type = "batch"

  group "modes" {
    task "modes" {
      driver = "exec"

      config {
        command  = "/bin/sh"
        args     = ["-c", "test $$ -gt 1 && echo among others; test -d /proc/2 && echo sees them"]
        pid_mode = "host"
        ipc_mode = "host"
      }
    }
  }
}
