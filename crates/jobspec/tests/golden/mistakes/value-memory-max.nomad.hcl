job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      resources {
        memory     = 256
        memory_max = 255
      }
    }
  }
}
