job "a" {
  datacenters = ["dc1", ""]
  task "c" {
    driver = "exec"
  }
}
