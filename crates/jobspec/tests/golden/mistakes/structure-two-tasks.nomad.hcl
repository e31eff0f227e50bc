job "a" {
  group "b" {
    task "c" {
      driver = "exec"
    }
    task "d" {
      driver = "exec"
    }
    task "c" {
      driver = "exec"
    }
  }
}
