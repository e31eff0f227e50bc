# Reads a file that is unveiled to it, and no other could be read. Should memory run short on the host, the kernel ends
# this task before others.
#
#   encamp run examples/cat.nomad.hcl

job "cat" {
  type = "batch"

  group "cat" {
    task "cat" {
      driver = "exec2"

      config {
        command       = "/usr/bin/cat"
        args          = ["/etc/os-release", "/proc/self/oom_score_adj"]
        unveil        = ["r:/etc/os-release", "r:/proc/self"]
        oom_score_adj = 500
      }
    }
  }
}
