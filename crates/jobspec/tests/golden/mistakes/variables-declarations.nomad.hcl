variable "unset" {
}

variable "a b" {
  default = 1
}

variable "twice" {
  default = 1
}

variable "twice" {
  default = 2
}

variable "typed" {
  type    = list(number)
  default = ["a"]
}

variable "kinds" {
  type = object({ a = optional(string), b = any, c = list, d = set(nosuch), e = string(1) })
}

variable "constant" {
  default = upper(local.x)
}

variable "surprise" {
  sensitive = true
  default   = 1
  validation {
    condition = true
  }
}

variable {
  default = 1
}

variables {
  twice = 3
  block {
  }
}

job "a" {
  task "b" {
    driver = "exec"
    user   = var.unset
    env {
      A = var.constant
      B = var.nosuch
    }
  }
}
