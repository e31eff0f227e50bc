job "t" {
  type = "batch"

  task "web" {
    driver = "exec"

    config {
      command = "x"
    }

    template {
      destination = "local/x"
    }
    template {
      data        = "x"
      source      = "local/y"
      destination = ""
    }
    template {
      data = "x"
    }
    template {
      data        = "x"
      destination = "../../etc/passwd"
      perms       = "0888"
      uid         = 4294967295
    }
    template {
      data        = "x"
      destination = "local/x"
      change_mode = "restrat"
      splay       = -1
    }
    template {
      data        = "x"
      destination = "local/x"
      change_mode = "script"
      perms       = "77777"
    }
    template {
      data        = "x"
      destination = "local/s"
      change_mode = "signal"
      env         = true
    }
    template {
      data        = "x"
      destination = "local/x"
      change_mode = "script"
      dest        = 1
      change_script {
        command = ""
      }
      wait {
        min = "5s"
        max = "1s"
      }
    }
  }
}
