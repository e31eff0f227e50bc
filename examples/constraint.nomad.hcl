# Asks for a machine that can run it: Linux, a driver that lets jobs unveil paths, a kernel that is not too old. On any other the run ends
# with exit code 2, in Nomad's words. `encamp node status` shows what can be asked for.
#
#   encamp run examples/constraint.nomad.hcl

job "constraint" {
  type = "batch"

  constraint {
    attribute = "${attr.kernel.name}"
    value     = "linux"
  }

  group "constraint" {
    constraint {
      attribute = "${attr.kernel.version}"
      operator  = "semver"
      value     = ">= 5.13.0"
    }

    task "constraint" {
      driver = "exec2"

      constraint {
        attribute = "${attr.driver.exec2.unveil.tasks}"
        value     = "true"
      }

      config {
        command = "/bin/echo"
        args    = ["this is ${attr.kernel.name}"]
      }
    }
  }
}
