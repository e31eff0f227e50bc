job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      config {
        a {
        }
        a = 1
        b "c" {
        }
        dynamic "d" {
        }
        e = 1
        e {
          x = y
        }
      }
    }
  }
}
