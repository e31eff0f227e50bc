# Compiled by one task, run by the next, both under exec2.
variable "javabin" {
  type    = string
  default = "/usr/bin"
}
variable "etcjava" {
  type    = string
  default = "/etc/java-17-openjdk"
}

job "java" {
  type = "batch"
  group "group" {
    restart { attempts = 0 }
    reschedule { attempts = 0 }
    task "compile" {
      lifecycle { hook = "prestart" }
      driver = "exec2"
      config {
        command = "${var.javabin}/javac"
        args    = ["-d", "${NOMAD_ALLOC_DIR}", "${NOMAD_TASK_DIR}/Test.java"]
        unveil  = ["r:${var.etcjava}"]
      }
      template {
        destination = "local/Test.java"
        data        = <<EOH
public class Test {
    public static void main(String[] arguments) {
        System.out.println("hello, java!");
    }
}
EOH
      }
      resources {
        cpu    = 500
        memory = 512
      }
    }
    task "main" {
      driver = "exec2"
      config {
        command = "${var.javabin}/java"
        args    = ["-cp", "${NOMAD_ALLOC_DIR}", "Test"]
        unveil  = ["r:${var.etcjava}"]
      }
      resources {
        cpu    = 500
        memory = 512
      }
    }
  }
}
