client {
  max_kill_timeout = "-5s"
}
