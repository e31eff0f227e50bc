# Asks for two capabilities more than Nomad's thirteen, which the operator allows: cap_net_raw is bit 13, cap_sys_time
# bit 25.
#
#   encamp run -c examples/encamp.d examples/capabilities.nomad.hcl

job "capabilities" {
  type = "batch"

  group "capabilities" {
    task "capabilities" {
      driver = "exec"

      config {
        command = "/bin/grep"
        args    = ["CapEff", "/proc/self/status"]
        cap_add = ["net_raw", "sys_time"]
      }
    }
  }
}
