job "a" {
  group "b" {
    count = 3
    task "c" {
      driver = "exec"
    }
  }
}
