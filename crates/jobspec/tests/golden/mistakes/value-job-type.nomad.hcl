job "example" {
  type = "bach"

  group "web" {
    task "python" {
      driver = "exec2"

      user = "x"
    }
  }
}
