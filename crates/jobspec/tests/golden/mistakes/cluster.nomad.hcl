job "a" {
  id       = "with space"
  priority = 101
  multiregion {
    region "west" {
      count = 2
    }
  }
  affinity {
    weight = 0
  }
  spread {
    weight = 101
  }
  update {
    health_check = "check"
    max_parallel = -1
    auto_promote = true
  }
  vault {
    role = "web"
  }
  group "g" {
    stop_after_client_disconnect = "soon"
    ephemeral_disk {
      size = 5
    }
    scaling {
      min = 1
    }
    reschedule {
      delay_function = "linear"
    }
    task "t" {
      driver = "exec"
      kind   = "connect-proxy:web"
      csi_plugin {
        id = "x"
      }
      scaling "disk" {
        max = 1
      }
      action "x" {
      }
      identity "x" {
      }
      resources {
        disk = 1
        device "nvidia/gpu" {
          count = 1
        }
        numa {
          affinity = "always"
        }
      }
    }
  }
}
