job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      config {
        command = "/bin/sh"
        args = ["-c", <<EOT
        for x in ${list[@]}; do echo $x; done
        EOT
        ]
      }
    }
  }
}
