job "a" {
  type {
  }
  group = []
  task "c" {
    driver {
    }
    config = {
      command = "env"
    }
    resources = {}
    template  = []
    leader {
    }
  }
}
