# Stopped by a signal that it catches.
job "exec-signal" {
  type = "service"

  group "g" {
    task "caught" {
      driver       = "exec"
      kill_signal  = "SIGUSR1"
      kill_timeout = "10s"

      config {
        command = "/bin/sh"
        args    = ["-c", "trap 'exit 9' USR1; echo ready; while :; do sleep 0.05; done"]
      }
    }
  }
}
