job "a" {
  group "b" {
    secret {
    }
    service {
    }
    task "c" {
      driver = "exec"
    }
  }
}
