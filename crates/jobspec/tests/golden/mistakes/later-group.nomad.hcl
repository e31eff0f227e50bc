job "a" {
  group "b" {
    dynamic {
    }
    secret {
    }
    service {
    }
    task "c" {
      driver = "exec"
    }
  }
}
