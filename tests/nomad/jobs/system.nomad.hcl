# One on every node.
variable "driver" { type = string }

job "system" {
  type = "system"
  group "group" {
    task "task" {
      driver = var.driver
      config {
        command = "/bin/sh"
        args    = ["-c", "trap 'exit 0' INT; while :; do sleep 0.2; done"]
      }
      resources {
        cpu    = 100
        memory = 32
      }
    }
  }
}
