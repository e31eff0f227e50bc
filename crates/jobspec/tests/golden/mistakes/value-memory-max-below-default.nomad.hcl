job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      resources {
        memory_max = 299
      }
    }
  }
}
