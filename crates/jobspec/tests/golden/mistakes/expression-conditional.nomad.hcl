job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      env {
        A = true ? [] : 1
        B = true ? true : 1
      }
    }
  }
}
