job "a
b" {
}
