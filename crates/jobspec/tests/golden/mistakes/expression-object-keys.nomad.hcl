job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      env = {
        a.b      = 1
        null     = 2
        ([])     = 3
        (true)   = 4
      }
    }
  }
}
