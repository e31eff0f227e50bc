name = ["a"]
client {
  max_kill_timeout = "5"
  meta = "x"
  host_volume {
    path = "/srv"
  }
  host_volume "nowhere" {
  }
  host_volume "twice" {
    path = "/a"
  }
  host_volume "twice" {
    path = "/b"
  }
  chroot_env {
    "/bin" = ["/bin"]
  }
  reserved {
    cpu    = -1
    memory = "much"
    cores  = [0]
  }
  users {
    dynamic_user_min = -5
    dynamic_user_max = 1.5
  }
}
