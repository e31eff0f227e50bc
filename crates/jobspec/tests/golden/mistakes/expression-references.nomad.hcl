job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      user         = root
      kill_signal  = attr.kernel.name
      kill_timeout = local.timeouts[0]
      env {
        A = NOMAD_PORT_http
        B = x.*.y
      }
    }
  }
}
