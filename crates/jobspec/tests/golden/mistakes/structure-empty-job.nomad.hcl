job "a" {
}
