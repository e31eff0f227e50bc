job "a" {
}
}
