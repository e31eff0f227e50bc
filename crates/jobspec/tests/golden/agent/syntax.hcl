client {
  enabled = true servers = []
}
