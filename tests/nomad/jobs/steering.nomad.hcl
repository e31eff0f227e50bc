# Writes a line every 0.3 seconds, and has files to look at.
variable "driver" { type = string }

job "steering" {
  group "group" {
    task "task" {
      driver       = var.driver
      kill_timeout = "1s"
      config {
        command = "/bin/sh"
        args    = ["-c", "n=0; while :; do n=$((n + 1)); echo line $n; sleep 0.3; done"]
      }
      template {
        destination = "local/kept"
        data        = "what was kept\n"
      }
      template {
        destination = "secrets/word"
        data        = "hidden\n"
      }
      resources {
        cpu    = 300
        memory = 32
      }
    }
  }
}
