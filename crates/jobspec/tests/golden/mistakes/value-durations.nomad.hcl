job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      kill_timeout = "5"
    }
  }
}
