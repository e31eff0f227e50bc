# A task that stays: it counts its signals, has a volume, and templates that are rendered again.
variable "driver" { type = string }

job "service" {
  group "group" {
    restart {
      attempts = 3
      delay    = "1s"
      interval = "5m"
    }
    reschedule {
      attempts  = 0
      unlimited = false
    }
    volume "scratch" {
      type   = "host"
      source = "scratch"
    }
    volume "shared" {
      type      = "host"
      source    = "scratch"
      read_only = true
    }
    task "task" {
      driver       = var.driver
      user         = "root"
      kill_timeout = "3s"
      config {
        command = "/bin/sh"
        args    = ["local/run.sh"]
      }
      volume_mount {
        volume      = "scratch"
        destination = "/mnt"
      }
      volume_mount {
        volume      = "shared"
        destination = "/srv"
      }
      template {
        destination = "local/run.sh"
        change_mode = "noop"
        data        = <<EOH
trap 'echo heard HUP' HUP
trap 'echo heard USR1' USR1
trap 'echo heard TERM; exit 0' TERM
trap 'echo heard INT; exit 0' INT
echo up
while :; do sleep 0.2; done
EOH
      }
      template {
        destination   = "local/told"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = "{{ with nomadVar \"nomad/jobs/service\" }}{{ .word }}{{ end }}\n"
      }
      template {
        destination = "alloc/scripted"
        change_mode = "script"
        change_script {
          command = "/bin/sh"
          args    = ["-c", "echo ran by $(id -u) > ${NOMAD_ALLOC_DIR}/script-ran"]
        }
        data = "{{ with nomadVar \"nomad/jobs/service\" }}{{ .word }}{{ end }}\n"
      }
      resources {
        cpu    = 300
        memory = 32
      }
    }
  }
}
