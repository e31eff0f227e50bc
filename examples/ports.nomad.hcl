# A port of a number that everybody knows, and one of the machine's choice. Both are this run's alone, and nobody else on this machine has
# bound them; the task is told by its environment.
#
#   encamp run examples/ports.nomad.hcl

job "ports" {
  type = "batch"

  group "ports" {
    network {
      port "http" {
        static = 18321
      }
      port "metrics" {}
    }

    task "ports" {
      driver = "exec2"

      config {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          echo "http on $NOMAD_ADDR_http"
          echo "metrics on $NOMAD_IP_metrics, port ${NOMAD_PORT_metrics}"
        EOT
        ]
      }
    }
  }
}
