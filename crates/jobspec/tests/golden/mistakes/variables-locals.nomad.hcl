locals {
  a = local.b
  b = [local.c]
  c = "${local.a}"
  d = local.a
  e = local.nosuch
  f = nosuch(1)
}

locals {
  f = 1
  block {
  }
}

job "a" {
  task "b" {
    driver = "exec"
    env {
      A = local.a
      B = local.f
      C = local.nosuch
    }
  }
}
