job "a" {
  group "b" {
    task "c" {
      driver = "exec"
    }
  }
  group "d" {
    task "e" {
      driver = "exec"
    }
  }
  task "f" {
    driver = "exec"
  }
  group "b" {
    task "g" {
      driver = "exec"
    }
  }
}
