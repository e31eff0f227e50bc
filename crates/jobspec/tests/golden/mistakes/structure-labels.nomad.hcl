job {
  group {
    task {
      driver = "exec"
      config "x" {
      }
      resources "y" {
      }
      env "z" {
      }
      restart "w" {
      }
    }
  }
}
