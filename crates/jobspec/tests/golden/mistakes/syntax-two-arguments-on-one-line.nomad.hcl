job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      resources { cpu = 100, memory = 64 }
    }
  }
}
