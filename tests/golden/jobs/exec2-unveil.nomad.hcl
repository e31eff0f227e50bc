# Paths of the host by letters, a directory to work in, a capability, a worse score.
job "exec2-unveil" {
  type = "batch"

  group "g" {
    restart {
      attempts = 0
      mode     = "fail"
    }

    task "seen" {
      driver = "exec2"

      config {
        command       = "/bin/sh"
        args          = ["-c", "cat /etc/passwd > /dev/null && echo seen; pwd; cat /etc/shadow"]
        unveil        = ["r:/etc/passwd", "rx:/usr/share", "rwc:/var/tmp", "r:/etc/passwd", "r:/proc/self/mountinfo"]
        oom_score_adj = 500
        cap_add       = ["net_bind_service", "kill"]
        cap_drop      = ["kill"]
        work_dir      = "local"
      }
    }
  }
}
