# A user of the host's database, limits, and variables that do not reach a task.
job "exec2-named-user" {
  type = "batch"

  group "g" {
    restart {
      attempts = 0
      mode     = "fail"
    }

    task "daemon" {
      driver = "exec2"
      user   = "daemon"

      config {
        command = "sh"
        args    = ["-c", "echo $OWN $LD_PRELOAD; kill -TERM $$"]
      }

      env {
        OWN        = "kept"
        LD_PRELOAD = "/nothing.so"
        PATH       = "/bin:/usr/bin:relative"
      }

      resources {
        cpu        = 700
        memory     = 48
        memory_max = 96
      }
    }
  }
}
