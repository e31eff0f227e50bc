job "a" {
  group "b" {
    volume "data" {
      type   = "host"
      source = "x"
    }
    volume "data" {
      type   = "host"
      source = "y"
    }
    task "c" {
      driver = "exec"
    }
  }
}
