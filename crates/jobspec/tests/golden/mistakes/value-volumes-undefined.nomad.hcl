job "a" {
  group "b" {
    volume "data" {
      type   = "host"
      source = "x"
    }
    volume "logs" {
      type   = "host"
      source = "x"
    }
    task "c" {
      driver = "exec"
      volume_mount {
        volume      = "logs"
        destination = "/x"
      }
      volume_mount {
        volume      = "date"
        destination = "/y"
      }
    }
  }
}
