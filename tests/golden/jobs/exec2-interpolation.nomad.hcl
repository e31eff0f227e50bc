# Names of the task and of its node in config and env.
job "exec2-interpolation" {
  type = "batch"

  group "group" {
    task "task" {
      driver = "exec2"

      config {
        command = "/usr/bin/printf"
        args    = ["%s\n", "${NOMAD_TASK_DIR}", attr.kernel.name, "${node.unique.name} ${meta.rack}", "$${A}"]
        unveil  = ["rwc:${NOMAD_ALLOC_DIR}/data"]
      }

      env {
        A = "${B}/a"
        B = "${NOMAD_TASK_DIR}/b"
        C = "$${HOME:-/} ${attr.kernel.name}"
      }
    }
  }
}
