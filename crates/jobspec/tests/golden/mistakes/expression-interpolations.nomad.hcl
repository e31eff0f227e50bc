job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      env {
        A = "${NOMAD_TASK_DIR}/a:${NOMAD_ALLOC_DIR}"
        B = "%{ if true }y%{ endif }"
        C = <<EOT
      port ${NOMAD_PORT_http}
      %{ for x in [1] }${x}%{ endfor }
      EOT
      }
    }
  }
}
