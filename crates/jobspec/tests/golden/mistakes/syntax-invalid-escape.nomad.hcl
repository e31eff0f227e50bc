job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      user = "a\d"
    }
  }
}
