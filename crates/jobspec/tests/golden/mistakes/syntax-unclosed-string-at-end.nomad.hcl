job "a" {
  name = "b