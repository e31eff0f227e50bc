job a {
  group b {
    task c {
      driver = "exec"
      config { command = "env" }
      env = null
      user = ""
      kill_timeout = 1500000000
    }
  }
}
