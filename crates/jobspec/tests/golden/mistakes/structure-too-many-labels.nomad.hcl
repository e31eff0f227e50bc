job "a" "b" {
  group "c" "d" {
    task "e" "f" "g" {
      driver = "exec"
    }
  }
}
