data_dri = "/srv"
clients {
}
"strange.name" = 1
client {
  chroot_evn {
  }
  max_kill_timout = "5s"
  host_volume "data" {
    path     = "/srv"
    readonly = true
  }
  reserved {
    core = "0"
  }
  users {
    dynamic_user_minimum = 1
  }
  options {
    "driver.denylst" = "exec"
  }
}
plugin "exec3" {
}
plugin "exec2" {
  arg = []
}
