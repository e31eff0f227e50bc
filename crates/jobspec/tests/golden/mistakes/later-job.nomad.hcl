job "a" {
  parameterized {
  }
  periodic {
  }
  secret {
  }
  task "b" {
    driver = "exec"
  }
}
