job "a" {
  dynamic {
  }
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
