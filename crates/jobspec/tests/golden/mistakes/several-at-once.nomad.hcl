job "a" {
  typ = "batch"

  group "b" {
    count = 2

    task "c" {
      driver = "exec"
      user   = "${USER}"

      config {
        command = upper("x")
        args    = [a, "b", c.d]
      }

      template {
        data = "x"
      }

      resources {
        iops   = 2
        memory = 1
      }

      kill_timeout = "5x"
    }
  }
}
