# Root, with a capability fewer and a file written where only the task sees it.
job "exec-root" {
  type = "batch"

  group "g" {
    restart {
      attempts = 0
      mode     = "fail"
    }

    task "root" {
      driver = "exec"
      user   = "root"

      config {
        command  = "/bin/sh"
        args     = ["-c", "id -u; id -G; echo x > /etc/new && cat /etc/new"]
        cap_drop = ["mknod", "CAP_SETFCAP"]
      }
    }
  }
}
