job "a" {
  group "b" {
    count = -1
    task "c" {
      driver = "exec"
    }
  }
}
