# Every operator, and every short form of one.
job "a" {
  node_pool = "gpu"

  constraint {
    attribute = attr.kernel.name
    value     = "linux"
  }
  constraint {
    attribute = "${attr.driver.exec2.unveil.tasks}"
    operator  = "is"
    value     = true
  }
  constraint {
    attribute = "${meta.rack}"
    operator  = "is_set"
  }
  constraint {
    attribute  = "${meta.rack}"
    is_not_set = true
  }

  group "b" {
    constraint {
      attribute = "${attr.cpu.numcores}"
      operator  = ">="
      value     = 2
    }
    constraint {
      attribute = "${node.class}"
      regexp    = "^(big|small)$"
    }
    constraint {
      attribute = "${attr.os.version}"
      version   = ">= 12, < 14"
    }
    constraint {
      attribute = "${attr.kernel.version}"
      semver    = ">= 5.15.0"
    }
    constraint {
      attribute    = "${attr.os.signals}"
      set_contains = "SIGINT,SIGHUP"
    }
    constraint {
      attribute        = "${meta.zone}"
      set_contains_any = "a,b"
    }

    task "c" {
      driver = "exec"
      constraint {
        distinct_hosts = true
      }
      constraint {
        distinct_property = "${meta.rack}"
        value             = "2"
      }
      constraint {
        operator = "distinct_hosts"
        value    = "true"
      }
      constraint {
        attribute = "literal"
        operator  = "!="
        value     = "${meta.other}"
      }
    }
  }
}
