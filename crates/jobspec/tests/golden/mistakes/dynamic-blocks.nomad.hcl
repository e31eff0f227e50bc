job "example" {
  dynamic "group" {
    for_each = ["web"]
    labels   = [group.value]
    content {
      dynamic "task" {
        for_each = { python = "exec", ruby = 5 }
        iterator = each
        labels   = [each.key]
        content {
          driver = each.value
          user   = group.nothing
          surprise = 1
          env {
            A = missing(each.key)
          }
        }
      }
      dynamic {
      }
      dynamic "task" {
        content {
        }
      }
      dynamic "task" {
        for_each = []
      }
      dynamic "task" {
        for_each = null
        content {
        }
      }
      dynamic "task" {
        for_each = "a"
        content {
        }
      }
      dynamic "task" {
        for_each = ["a"]
        iterator = "x"
        content {
        }
      }
      dynamic "task" {
        for_each = ["a"]
        labels   = [[]]
        content {
        }
      }
      dynamic "a b" {
        for_each = ["a"]
        content {
        }
      }
    }
  }
}
