job "a" {
  all_at_once = 1
  id = 1
  node_pool = 1
  priority = 1
  affinity {
  }
  constraint {
  }
  dynamic {
  }
  migrate {
  }
  multiregion {
  }
  parameterized {
  }
  periodic {
  }
  reschedule {
  }
  secret {
  }
  spread {
  }
  ui {
  }
  update {
  }
  vault {
  }
  task "b" {
    driver = "exec"
  }
}
