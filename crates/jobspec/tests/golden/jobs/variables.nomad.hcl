variable "image" {
  description = "What to run"
  type        = string
  default     = "web"
  validation {
    condition     = regex_replace(var.image, "[a-z]", "") == ""
    error_message = "Only letters."
  }
}

variable "ports" {
  type    = map(number)
  default = { http = "8080", https = 8443 }
}

variables {
  count = 2
  tags  = ["a", "b"]
}

locals {
  name = "${local.prefix}-${var.image}"
  list = [for name, port in var.ports : format("%s=%d", name, port)]
}

locals {
  prefix = lower("EXAMPLE")
}

job "variables" {
  dynamic "group" {
    for_each = [local.name]
    labels   = [group.value]

    content {
      dynamic "task" {
        for_each = convert(["one"], set(string))
        iterator = each
        labels   = ["${group.value}-${each.key}"]

        content {
          driver = "exec"
          config {
            command = "/bin/${var.image}"
            args    = concat(local.list, ["${each.value}/${NOMAD_TASK_DIR}"])
          }
          env {
            TAGS = join(",", var.tags)
            TEXT = <<-EOT
              ${each.key} of ${group.value}:
                %{~ for tag in var.tags ~}
                ${tag}
                %{~ endfor ~}
            EOT
          }
          meta = { for name, port in var.ports : upper(name) => port if port > 8100 }

          dynamic "volume_mount" {
            for_each = var.ports
            content {
              volume      = volume_mount.key
              destination = "/${volume_mount.value}"
            }
          }
        }
      }

      dynamic "volume" {
        for_each = var.ports
        labels   = [volume.key]
        content {
          type   = "host"
          source = volume.key
        }
      }
    }
  }
}
