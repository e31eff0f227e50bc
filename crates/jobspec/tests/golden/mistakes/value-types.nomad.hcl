job "a" {
  type        = ["batch"]
  name        = {}
  datacenters = "dc1"
  meta        = "x"
  group "b" {
    count = "one"
    meta {
      a = []
      b = null
    }
    task "c" {
      driver       = []
      user         = {}
      kill_timeout = true
      env = {
        a = []
        b = {}
      }
      resources {
        cpu        = 1.5
        memory     = true
        memory_max = "much"
      }
      restart {
        attempts = "1.5"
        interval = []
        delay    = 1.5
        mode     = {}
      }
    }
  }
}
