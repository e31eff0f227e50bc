variable "small" {
  default = 1
  validation {
    condition     = var.small > 3
    error_message = "too small"
  }
}

variable "own" {
  default = "x"
  validation {
    condition     = local.own == var.small
    error_message = ""
  }
  validation {
    condition     = true
    error_message = "Never."
  }
}

variable "kind" {
  default = "x"
  validation {
    condition     = var.kind
    error_message = "Never."
  }
  validation {
    condition     = file(var.kind) == ""
    error_message = "Never."
  }
}

job "a" {
  task "b" {
    driver = "exec"
    user   = var.kind
  }
}
