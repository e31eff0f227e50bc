job "variables" {
  group "g" {
    task "t" {
          driver = "exec"
          env {
            A = <<-EOT
              x ${1}:
                %{~ for tag in ["a"] ~}
                ${tag}
                %{~ endfor ~}
            EOT
            B = <<-EOT
              x ${1}:
                %{ for tag in ["a", "b"] ~}
                ${tag}
                %{ endfor ~}
              end
            EOT
            C = <<-EOT
              ${~ 1 ~}
                y
               z
            EOT
            D = <<-EOT
                %{ if true }
                y
              %{ endif }
               z
            EOT
            E = <<-EOT
              ${1 ~}

                y
               z
            EOT
            F = <<-EOT

              ${1}
                ~}
               z
            EOT
            G = <<EOT
              ${1 ~}
                y ${~ 2}
               z
            EOT
          }
    }
  }
}
