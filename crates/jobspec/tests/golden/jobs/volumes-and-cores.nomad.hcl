job "volumes" {
  type = "batch"
  group "g" {
    volume "data" {
      type            = "host"
      source          = "shared"
      read_only       = "true"
      access_mode     = "single-node-writer"
      attachment_mode = "file-system"
      sticky          = false
    }
    volume "each" {
      type      = "host"
      source    = "each"
      per_alloc = true
    }
    volume "read" {
      type        = "host"
      source      = "shared"
      access_mode = "multi-node-reader-only"
    }
    volume "unused" {
      type   = "host"
      source = "nowhere"
    }
    task "t" {
      driver = "exec"
      config {
        command = "true"
      }
      volume_mount {
        volume           = "each"
        destination      = "/srv/each"
        read_only        = true
        propagation_mode = "host-to-task"
        selinux_label    = "Z"
      }
      volume_mount {
        volume      = "data"
        destination = "/srv/data"
      }
      volume_mount {
        volume      = "read"
        destination = "/srv/data/below"
      }
      resources {
        cores = 2
      }
    }
  }
}
