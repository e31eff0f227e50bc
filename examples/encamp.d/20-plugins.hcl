# What the drivers let tasks have, as in a Nomad agent's configuration: the default capabilities and two more.

plugin "exec" {
  config {
    allow_caps = [
      "audit_write", "chown", "dac_override", "fowner", "fsetid", "kill", "mknod", "net_bind_service", "setfcap", "setgid",
      "setpcap", "setuid", "sys_chroot", "net_raw", "sys_time",
    ]
  }
}
