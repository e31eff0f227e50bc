job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      user         = !"x"
      kill_timeout = "a" + 1
      kill_signal  = -[]
      env {
        A = null > 1
        B = 1 && true
        C = "x" ? 1 : 2
      }
    }
  }
}
