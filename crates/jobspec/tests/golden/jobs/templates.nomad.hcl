job "t" {
  type = "batch"

  task "web" {
    driver = "exec"

    config {
      command = "my-binary"
    }

    template {
      destination = "local/my-binary"
      perms       = "0755"
      data        = <<-EOH
        #!/bin/sh
        echo "{{ env "NOMAD_TASK_NAME" }} $${HOME:-/} ${NOMAD_ALLOC_ID}"
      EOH
    }

    template {
      source               = "local/app.tpl"
      destination          = "${NOMAD_SECRETS_DIR}/app.env"
      env                  = true
      once                 = true
      perms                = 4600
      uid                  = 1000
      gid                  = -1
      splay                = "0s"
      left_delimiter       = "<%"
      right_delimiter      = "%>"
      error_on_missing_key = true
      vault_grace          = "15s"

      wait {
        min = "2s"
      }
    }

    template {
      data          = "{{ env \"X\" }}"
      destination   = "local/x"
      change_mode   = "signal"
    }

    template {
      data          = "x"
      destination   = "local/y"
      change_mode   = "SCRIPT"
      change_signal = "SIGHUP"

      change_script {
        command       = "/bin/reload"
        args          = ["-a", 1]
        fail_on_error = true
      }
    }
  }
}
