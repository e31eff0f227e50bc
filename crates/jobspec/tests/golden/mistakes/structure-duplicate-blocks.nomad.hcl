job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      config {
      }
      config {
      }
      env {
      }
      env = {}
      resources {
      }
      resources {
      }
    }
  }
}
