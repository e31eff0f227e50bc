job "a" {
  group "b" {
    network {
      mode = "none"
      port "http" {}
    }
    task "c" {
      driver = "exec"
    }
  }
}
