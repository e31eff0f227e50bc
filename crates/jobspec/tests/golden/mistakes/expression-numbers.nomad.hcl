job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      env {
        A = 1 / 0
        B = 5 % 0
        C = 12345678901234567890
        D = 3.14159265358979323846
        E = 9007199254740991 + 1
        F = 1e30
      }
    }
  }
}
