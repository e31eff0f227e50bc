job "a" {
  datacenters = []
  task "c" {
    driver = "exec"
  }
}
