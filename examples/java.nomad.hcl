# Compiles a class in a task that comes first, and runs it in the task that the job is about. The JVM reads its
# configuration below /etc, so that is unveiled; where it lies on another system is said with -var.
#
#   encamp run examples/java.nomad.hcl
#   encamp run -var javabin=/usr/lib/jvm/temurin-21-jdk-amd64/bin -var etcjava=/etc/alternatives examples/java.nomad.hcl

variable "javabin" {
  type = string
  default = "/usr/bin"
}

variable "etcjava" {
  type = string
  default = "/etc/java-17-openjdk"
}

job "java" {
  type = "batch"

  group "group" {
    task "compile" {
      driver = "exec2"

      lifecycle {
        hook = "prestart"
      }

      config {
        command = "${var.javabin}/javac"
        args    = ["-d", "${NOMAD_ALLOC_DIR}", "${NOMAD_TASK_DIR}/Test.java"]
        unveil  = ["r:${var.etcjava}"]
      }

      template {
        destination = "local/Test.java"
        data        = <<EOH
public class Test {
  public static void main(String[] args) {
    System.out.println("Hello from Java");
  }
}
EOH
      }

      resources {
        cpu    = 1000
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
    }
  }
}
