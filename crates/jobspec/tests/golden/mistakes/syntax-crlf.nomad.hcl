job "a" {
  nam = 1
  x = y z
}
