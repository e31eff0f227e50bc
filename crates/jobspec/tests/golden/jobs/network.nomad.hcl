# Ports of every kind.
job "a" {
  group "b" {
    network {
      mode     = "host"
      hostname = "web-${NOMAD_ALLOC_INDEX}"
      mbits    = 10

      port "http" {
        static = 8080
      }
      port "admin" {
        static           = 8080
        ignore_collision = true
      }
      port "metrics" {}
      port "zero" {
        static = 0
        to     = 0
      }
      port "same" {
        to = -1
      }
      port "mapped" {
        to           = 6379
        host_network = "public"
      }

      dns {
        servers  = ["10.0.0.1", "${attr.unique.network.ip-address}"]
        searches = ["example.com"]
        options  = ["ndots:2"]
      }
    }
    task "c" {
      driver = "exec"
    }
  }
}
