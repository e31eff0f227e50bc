job "a b" {
  group "x\u0000" {
    task "alloc" {
      driver = "exec"
    }
    task "." {
      driver = "exec"
    }
    task ".." {
      driver = "exec"
    }
    task "a/b" {
      driver = "exec"
    }
    task "a\nb" {
      driver = "exec"
    }
    task "a\u0000b" {
      driver = "exec"
    }
    task "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" {
      driver = "exec"
    }
  }
}
