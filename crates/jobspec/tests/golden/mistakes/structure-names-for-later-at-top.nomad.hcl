variable "a" {
}
variables {
}
locals {
}
job "a" {
  task "b" {
    driver = "exec"
  }
}
