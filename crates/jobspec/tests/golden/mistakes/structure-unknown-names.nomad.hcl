job "a" {
  tpye     = "batch"
  priorty  = 1
  vault_token = ""
  groop "b" {
  }
  group "b" {
    counts = 1
    netwrk {
    }
    task "c" {
      driver = "exec"
      comand = "x"
      resource {
      }
      resources {
        mem = 1
        memroy = 1
      }
      restart {
        attempt = 1
      }
    }
  }
}
