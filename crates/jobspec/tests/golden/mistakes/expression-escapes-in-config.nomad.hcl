job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      config {
        command = "$${FOO}"
        args    = ["a", "%%{if}", ("$${B}")]
        opt     = { a = "$${C}" }
        pick    = true ? "$${D}" : ""
      }
    }
  }
}
