job "a" {
  task "b" {
    driver = "exec"
    env {
      A = <<EOT
x
EOT
    }
  }
}
