# A job as people write them: variables, locals, several tasks, a script, blocks that are written once for many.
variable "image" {
  description = "What is run"
  type        = string
  default     = "web"

  validation {
    condition     = var.image != "" && length(split("/", var.image)) == 1
    error_message = "An image needs a name."
  }
}

variable "ports" {
  type    = map(number)
  default = { http = 8080, https = 8443, admin = 9090 }
}

variables {
  region_of = "eu"
  replicas  = 1
  tags      = ["a", "b", "c"]
}

locals {
  name    = lower("${var.image}-${var.region_of}")
  targets = [for name, port in var.ports : format("%s=127.0.0.1:%d", name, port) if port > 8000]
  labels  = merge({ for tag in var.tags : "tag_${tag}" => upper(tag) }, { name = local.name })
  digest  = sha256(jsonencode(local.labels))
}

job "typical" {
  type        = "service"
  datacenters = ["dc1", "dc2"]

  meta = local.labels

  group "web" {
    count = var.replicas

    restart {
      attempts = 3
      interval = "10m"
      delay    = "15s"
      mode     = "fail"
    }

    task "prepare" {
      driver = "exec2"

      config {
        command = "/bin/sh"
        args    = ["${NOMAD_TASK_DIR}/prepare.sh", join(",", local.targets)]
        unveil  = ["r:/etc/ssl", "rwc:${NOMAD_ALLOC_DIR}/data"]
      }

      env {
        DIGEST = substr(local.digest, 0, 12)
        NAME   = local.name
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }

    dynamic "task" {
      for_each = var.ports
      labels   = ["serve-${task.key}"]

      content {
        driver       = "exec2"
        kill_signal  = "SIGTERM"
        kill_timeout = "20s"

        config {
          command = "/usr/bin/python3"
          args    = ["-m", "http.server", "${task.value}", "--directory", "${NOMAD_TASK_DIR}/${task.key}"]
        }

        env {
          PORT   = task.value
          SCRIPT = <<-EOT
            #!/bin/sh
            set -e
            # ${task.key} of ${local.name}
            %{~ for target in local.targets }
            check ${target} || exit 1
            %{~ endfor }
            exec "$${COMMAND:-serve}" --tags ${join(" ", var.tags)}
          EOT
        }

        resources {
          cpu    = 200
          memory = 128
        }
      }
    }
  }
}
