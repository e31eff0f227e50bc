# Runs a program that is fetched first. Its checksum says that it is the one that was meant; on disk it is no program until the
# driver makes it one.
#
#   (cd examples/files && python3 -m http.server 8080) &
#   encamp run examples/artifact.nomad.hcl

variable "server" {
  type        = string
  description = "Where the program is"
  default     = "http://127.0.0.1:8080"
}

variable "sum" {
  type        = string
  description = "Its SHA-256 sum"
  default     = "789fef738931bb5525e899bdd84590e1cd005f1b7f29c5ce0b0c64b0b038b9b5"
}

job "artifact" {
  type = "batch"

  group "artifact" {
    task "example" {
      driver = "exec"

      config {
        command = "name-of-my-binary"
      }

      artifact {
        source = "${var.server}/name-of-my-binary"

        options {
          checksum = "sha256:${var.sum}"
        }
      }
    }
  }
}
