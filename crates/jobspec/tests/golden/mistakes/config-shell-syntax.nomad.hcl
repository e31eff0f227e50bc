job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      config {
        command = "$${FOO:-x}"
        args    = ["a", "%%{if}", ("$${B%.*}"), "%%{http_code}", "$${"]
        opt     = { a = "$${C" }
        pick    = true ? "$${D:=x}" : ""
      }
    }
  }
}
