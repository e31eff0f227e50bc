# Does not heed its stop signal.
variable "driver" { type = string }

job "stubborn" {
  group "group" {
    task "task" {
      driver       = var.driver
      kill_signal  = "SIGINT"
      kill_timeout = "1s"
      config {
        command = "/bin/sh"
        args    = ["-c", "trap '' INT TERM; while :; do sleep 0.2; done"]
      }
      resources {
        cpu    = 300
        memory = 32
      }
    }
  }
}
