# A name for a network of its own, which Nomad's client has only for drivers that make the network themselves.
job "hostname" {
  type = "batch"
  group "group" {
    restart { attempts = 0 }
    reschedule { attempts = 0 }
    network {
      mode     = "bridge"
      hostname = "elsewhere"
    }
    task "task" {
      driver = "exec"
      config {
        command = "/bin/hostname"
      }
    }
  }
}
