# A server that the client asks, and a task with a check that is run beside it: its code stands in a file.
variable "driver" { type = string }

job "checks" {
  group "served" {
    network {
      port "http" {}
    }
    task "task" {
      driver       = var.driver
      kill_timeout = "1s"
      config {
        command = "python3"
        args    = ["-m", "http.server", "${NOMAD_PORT_http}", "--bind", "127.0.0.1", "--directory", "${NOMAD_TASK_DIR}"]
      }
      service {
        name     = "served"
        provider = "nomad"
        port     = "http"
        check {
          type     = "http"
          path     = "/"
          interval = "1s"
          timeout  = "2s"
        }
      }
      resources {
        cpu    = 300
        memory = 64
      }
    }
  }
  group "scripted" {
    task "task" {
      driver       = var.driver
      kill_timeout = "1s"
      config {
        command = "/bin/sh"
        args    = ["-c", "while :; do sleep 1; done"]
      }
      service {
        name     = "scripted"
        provider = "consul"
        check {
          type     = "script"
          command  = "/bin/sh"
          args     = ["${NOMAD_TASK_DIR}/check.sh"]
          interval = "1s"
          timeout  = "2s"
        }
      }
      template {
        destination = "local/check.sh"
        data        = <<EOH
read -r code 2>/dev/null < $NOMAD_TASK_DIR/code || code=0
test "$code" != hang || sleep 724646
echo "in $NOMAD_JOB_NAME/$NOMAD_TASK_NAME as $USER"
exit "$code"
EOH
      }
      resources {
        cpu    = 300
        memory = 32
      }
    }
  }
}
