# The host's processes and queues, and a directory to work in.
job "exec-host-namespaces" {
  type = "batch"

  group "g" {
    restart {
      attempts = 0
      mode     = "fail"
    }

    task "shared" {
      driver = "exec"

      config {
        command  = "/bin/sh"
        args     = ["-c", "pwd; exit 3"]
        pid_mode = "host"
        ipc_mode = "host"
        work_dir = "/local/work"
      }

      resources {
        memory     = 32
        memory_max = -1
      }
    }
  }
}
