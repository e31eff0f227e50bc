job "a" {
  constraint {
  }
  constraint {
    attribute = "${attr.kernel.name}"
  }
  constraint {
    attribute = "${attr.kernel.name}"
    operator  = "regex"
    value     = "x"
  }
  constraint {
    attribute = "${attr.kernel.name}"
    regexp    = "(linux"
  }
  constraint {
    attribute = "${attr.kernel.version}"
    version   = ">= five"
  }
  constraint {
    attribute = "${attr.kernel.version}"
    operator  = "semver"
    value     = "~> 5"
  }
  constraint {
    attribute = "${node.clas}"
    value     = "big"
  }
  constraint {
    attribute = "${attr.x}"
    operator  = "is_set"
    value     = "x"
  }
  constraint {
    attribute = "${attr.x}"
    version   = "1"
    semver    = "1"
  }
  constraint "x" {
    distinct_property = "${meta.rack}"
    value             = "none"
  }
  constraint {
    attribute    = "${attr.x}"
    set_contains = ["a"]
    surprise     = 1
  }
  task "b" {
    driver = "exec"
  }
}
