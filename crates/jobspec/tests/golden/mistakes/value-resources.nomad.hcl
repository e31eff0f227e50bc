job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      resources {
        cpu        = 0
        memory     = 9
        memory_max = -2
      }
    }
  }
}
