job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      config {
        command = "${NOMAD_TASK_DIR}/bin"
        args = [
          "--port", "${NOMAD_PORT_http}",
          # "${nope}"
          "${nope}", "$${nope}",
          <<-EOT
            echo
              ${attr.zz.x} ${env.zz}
          EOT
          , attr.zz, "${NOMAD_TASK_DIR.x}", "x${node}"
        ]
      }
    }
  }
}
