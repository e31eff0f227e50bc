# Every argument that is read, none with its default.
job "team/report" {
  name        = "Report"
  type        = "sysbatch"
  region      = "eu"
  namespace   = "prod"
  datacenters = ["dc1", "dc2"]

  meta {
    owner = "ops"
    level = "job"
  }

  group "night" {
    count = 1

    meta = {
      level     = "group"
      "dot.ted" = 1.5
    }

    restart {
      attempts = 4
      interval = "10m"
      delay    = "1m30s"
      mode     = "delay"
    }

    task "print" {
      driver       = "exec2"
      user         = "www-data"
      kill_signal  = "SIGTERM"
      kill_timeout = "1.5s"

      config {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          echo "hello"
            echo $HOME $$ 100%
          EOT
        ]
        oom_score_adj = 500
        flag          = true
        nothing       = null
        map           = { a = 1, "b" = [2, { c = 3 }] }

        mount {
          path = "/a"
        }
        mount {
          path = "/b"
        }
      }

      env {
        PORT    = 8080
        RATIO   = 0.1
        SUM     = 0.1 + 0.2
        DEBUG   = true
        SHELL   = "$${HOME:-/} %%{x}"
        SIGNED  = -5
        UNICODE = "\u00e9 \U0001F600 é"
        CHOSEN  = (1 + 2 * 3 >= 7 && !false) ? "yes" : "no"
      }

      meta {
        level = "task"
      }

      resources {
        cpu        = "250"
        memory     = 1024 / 4
        memory_max = -1
      }

      restart {
        attempts = 0
        mode     = "fail"
      }
    }
  }
}
