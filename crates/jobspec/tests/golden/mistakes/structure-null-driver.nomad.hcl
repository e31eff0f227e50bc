job "a" {
  task "c" {
    driver = null
  }
  task "d" {
    driver = ""
  }
}
