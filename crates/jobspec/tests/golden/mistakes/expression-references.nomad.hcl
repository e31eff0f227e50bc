job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      kill_timeout = local.timeouts[0]
      env {
        A = var.name
        B = x.*.y
        C = "${var.image}:${upper("a")}"
        D = x[NOMAD_TASK_NAME]
        E = "a${null}"
        F = "a${[1]}"
        G = "%{ for x in 5 }%{ endfor }"
        H = <<-EOT
          port ${NOMAD_PORT_http}
            ${local.x}
        EOT
      }
    }
  }
}
