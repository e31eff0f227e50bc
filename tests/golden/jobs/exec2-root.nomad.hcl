# Root without capabilities, with the host's own /tmp.
job "exec2-root" {
  type = "batch"

  group "g" {
    restart {
      attempts = 0
      mode     = "fail"
    }

    task "root" {
      driver = "exec2"
      user   = "root"

      config {
        command = "/bin/sh"
        args    = ["-c", "id -u; grep Cap /proc/self/status"]
        unveil  = ["rwc:/tmp"]
      }
    }
  }
}
