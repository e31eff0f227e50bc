job "a-${b}" {
}
