# A node's configuration, as Nomad's agent has it; the same file works for a Nomad client. More in docs/configuration.md.
#
#   encamp run -c examples/encamp.d examples/volumes.nomad.hcl

client {
  host_volume "share" {
    path      = "/usr/share"
    read_only = true
  }
}
