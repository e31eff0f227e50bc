job "example" {
  type = "daemon"

  group "web" {
    task "python" {
      driver = "exec2"

      user = "x"
    }
  }
}
