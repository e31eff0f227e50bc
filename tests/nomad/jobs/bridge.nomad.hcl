# A server in a network of its own, and one mapped port.
variable "driver" { type = string }

job "bridge" {
  group "group" {
    network {
      mode = "bridge"
      port "http" { to = 8080 }
      dns { servers = ["192.0.2.53"] }
    }
    task "task" {
      driver = var.driver
      config {
        command = "python3"
        args    = ["-m", "http.server", "8080", "--directory", "${NOMAD_TASK_DIR}"]
      }
      template {
        destination = "local/index.html"
        data        = "hello over the bridge\n"
      }
      resources {
        cpu    = 300
        memory = 64
      }
    }
  }
}
