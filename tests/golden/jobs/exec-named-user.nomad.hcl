# A user of the host's database, limits, variables, and arguments of every kind that HCL turns into a string.
job "exec-named-user" {
  name        = "a name beside the id"
  type        = "batch"
  datacenters = ["vienna"]

  meta {
    owner = "suite"
  }

  group "g" {
    restart {
      attempts = 0
      mode     = "fail"
    }

    task "daemon" {
      driver = "exec"
      user   = "daemon"

      config {
        command = "printf"
        args    = ["<%s>", "", "two words", "a\"b'c", 7, 1.5, true, "$HOME", "ümlaut"]
      }

      env {
        PATH  = "$${PATH}:/opt/bin"
        EMPTY = ""
        LINES = "one\ntwo"
      }

      meta {
        some-key = "v"
      }

      resources {
        cpu        = 250
        memory     = 64
        memory_max = 128
      }
    }
  }
}
