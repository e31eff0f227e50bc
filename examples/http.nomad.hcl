# Serves the task's own directory over HTTP with Python's built-in server. It may read /etc/mime.types, which that server
# needs, and no other file of the host's beyond the usual ones.
#
#   encamp run examples/http.nomad.hcl
#   curl http://127.0.0.1:8181/index.html

job "http" {
  group "web" {
    network {
      mode = "host"
      port "http" { static = 8181 }
    }
    task "python" {
      driver = "exec2"
      config {
        command = "python3"
        args = ["-m", "http.server", "${NOMAD_PORT_http}", "--directory", "${NOMAD_TASK_DIR}"]
        unveil = ["r:/etc/mime.types"]
      }
      template {
        destination = "local/index.html"
        data = <<EOH
<!doctype html>
<html>
<title>example</title>
<body><p>Hello, user!</p></body>
</html>
EOH
      }
    }
  }
}
