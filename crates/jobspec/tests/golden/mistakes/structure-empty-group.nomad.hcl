job "a" {
  group "b" {
  }
}
