job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      env {
        FORMAT = <<EOT
      curl -w %{http_code} localhost
      EOT
      }
    }
  }
}
