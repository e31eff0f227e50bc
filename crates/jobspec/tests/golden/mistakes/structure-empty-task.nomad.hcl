job "a" {
  group "b" {
    task "c" {
    }
  }
}
