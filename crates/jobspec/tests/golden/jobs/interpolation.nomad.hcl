job "interpolation" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      config {
        command = "${NOMAD_TASK_DIR}/bin"
        args = [
          "a", "${NOMAD_PORT_http}", "$${FOO}", "$$$${FOO}", "%%{ if true }x%%{ endif }",
          attr.kernel.name, env["A.B"], "${1 + 1}", "${true ? FOO : "x"}",
          "%{ for x in ["a", FOO] }${x},%{ endfor }",
          <<-EOT
            %{ if true ~}
            echo ${FOO}
              %{~ else }
            n
            %{ endif ~}
            $${FOO}
          EOT
        ]
        unveil = ["r:${NOMAD_ALLOC_DIR}/x"]
      }

      env {
        A = "${B}/x"
        B = NOMAD_TASK_DIR
        C = "$${HOME:-/}"
        D = "${attr.cpu.arch}${node.unique.name}"
      }

      meta = {
        "k.${NOMAD_TASK_NAME}" = "${NOMAD_JOB_ID}"
      }
    }
  }
}
