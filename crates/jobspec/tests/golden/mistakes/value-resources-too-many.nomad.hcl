job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      resources {
        cpu        = 4294967297
        memory     = 8796093022208
      }
    }
  }
}
