# Gives up all capabilities but three.
#
#   encamp run examples/capabilities-few.nomad.hcl

job "capabilities-few" {
  type = "batch"

  group "capabilities" {
    task "capabilities" {
      driver = "exec"

      config {
        command  = "/bin/grep"
        args     = ["CapEff", "/proc/self/status"]
        cap_drop = ["all"]
        cap_add  = ["chown", "sys_chroot", "mknod"]
      }
    }
  }
}
