job "a" {
  group "b" {
    max_client_disconnect = 1
    max_run_duration = 1
    prevent_reschedule_on_lost = 1
    shutdown_delay = 1
    stop_after_client_disconnect = 1
    affinity {
    }
    constraint {
    }
    consul {
    }
    disconnect {
    }
    dynamic {
    }
    ephemeral_disk {
    }
    migrate {
    }
    network {
    }
    reschedule {
    }
    scaling {
    }
    secret {
    }
    service {
    }
    spread {
    }
    update {
    }
    vault {
    }
    task "c" {
      driver = "exec"
    }
  }
}
