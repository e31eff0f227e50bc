job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      config {
        command = lower("ENV")
        args    = [for x in ["a"] : x]
        more    = { for k, v in {} : k => v }
        first   = split(",", "a,b")[0]
      }
    }
  }
}
