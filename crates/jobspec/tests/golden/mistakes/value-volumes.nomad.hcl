job "a" {
  group "b" {
    volume "no-type" {
      source = "x"
    }
    volume "csi" {
      type   = "csi"
      source = "x"
    }
    volume "what" {
      type   = "hosts"
      source = ""
    }
    volume "modes" {
      type            = "host"
      source          = "x"
      access_mode     = "single-node-write"
      attachment_mode = "block-device"
      read_only       = "perhaps"
      mount_options {
      }
    }
    volume {
      type   = "host"
      source = "x"
      sauce  = "x"
    }
    task "c" {
      driver = "exec"
      volume_mount {
        volume = "x"
      }
      volume_mount "labelled" {
        destination      = "/x"
        propagation_mode = "rshared"
        readonly         = true
      }
    }
  }
}
