job "a" {
  group "b" {
    network {
      mode = "bridge"
    }
    task "t" {
      driver = "exec"
    }
  }
  group "c" {
    network {
      mode     = "hosts"
      hostname = "-x-"
      cni {
        args = {}
      }
      port "http" {
        static = 70000
      }
      port "x" {
        to = 65536
      }
      port "y" {
        surprise = 1
      }
      port {}
    }
    task "t" {
      driver = "exec"
      resources {
        network {
          port "http" {}
        }
      }
    }
  }
  group "d" {
    network {
      port "http" {
        static = 80
      }
      port "http" {}
      port "other" {
        static = 80
      }
    }
    network {}
    task "t" {
      driver = "exec"
    }
  }
  group "e" {
    network {
      mode = "none"
      port "http" {
        static           = 80
        ignore_collision = true
      }
    }
    task "t" {
      driver = "exec"
    }
  }
  group "f" {
    network {
      mode = "cni/mine"
      dns {
        servers = "1.1.1.1"
      }
    }
    task "t" {
      driver = "exec"
    }
  }
}
