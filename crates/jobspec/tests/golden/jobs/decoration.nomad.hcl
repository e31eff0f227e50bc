# What a cluster's scheduler is told, with all that can be said.
job "a" {
  id          = "b"
  priority    = 70
  all_at_once = true

  affinity {
    attribute = "${node.datacenter}"
    value     = "dc1"
    weight    = -50
  }
  spread {
    attribute = "${node.datacenter}"
    weight    = 100
    target "dc1" {
      percent = 70
    }
  }
  ui {
    description = "An example"
    link {
      label = "Docs"
      url   = "https://example.com"
    }
  }
  update {
    stagger           = "30s"
    max_parallel      = 2
    health_check      = "checks"
    min_healthy_time  = "10s"
    healthy_deadline  = "5m"
    progress_deadline = "10m"
    auto_revert       = true
    canary            = 1
    auto_promote      = true
  }
  reschedule {
    attempts  = 0
    unlimited = false
  }
  migrate {
    max_parallel     = 1
    health_check     = "task_states"
    min_healthy_time = "1s"
    healthy_deadline = "1m"
  }
  vault {
    change_mode = "restart"
  }

  group "g" {
    max_client_disconnect        = "1h"
    stop_after_client_disconnect = "1h"
    prevent_reschedule_on_lost   = true

    disconnect {
      lost_after           = "6h"
      stop_on_client_after = "2h"
      replace              = false
      reconcile            = "best_score"
    }
    ephemeral_disk {
      size    = 500
      sticky  = true
      migrate = true
    }
    consul {
      namespace = "x"
    }
    reschedule {
      attempts       = 3
      interval       = "1h"
      delay          = "30s"
      delay_function = "exponential"
      max_delay      = "2h"
    }
    scaling {
      min     = 1
      max     = 10
      enabled = true
      policy {
        cooldown = "1m"
        check "cpu" {
          strategy "target-value" {
            target = 70
          }
        }
      }
    }

    task "t" {
      driver = "exec"
      kind   = "job"

      affinity {
        attribute = "${attr.kernel.name}"
        regexp    = "lin"
      }
      identity {
        env  = true
        file = true
        aud  = ["x"]
        ttl  = "1h"
      }
      action "hello" {
        command = "/bin/echo"
        args    = ["hello"]
      }
      scaling "cpu" {
        max = 500
      }
      schedule {
        cron {
          start    = "0 30 9 * * MON-FRI *"
          end      = "0 16"
          timezone = "UTC"
        }
      }
      resources {
        iops = 10
        numa {
          affinity = "prefer"
        }
      }
    }
  }
}
