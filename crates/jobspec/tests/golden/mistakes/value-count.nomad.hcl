job "a" {
  type = "sysbatch"
  group "negative" {
    count = -1
    task "c" {
      driver = "exec"
    }
  }
  group "more" {
    count = 2
    task "c" {
      driver = "exec"
    }
  }
  group "many" {
    count = 1e9
    task "c" {
      driver = "exec"
    }
  }
  group "huge" {
    count = 1e15
    task "c" {
      driver = "exec"
    }
  }
}
