client {
  meta {
  }
  meta = {}
}
client {
}
plugin "exec" {
}
plugin "exec" {
  config {
    a = 1
    b {
    }
    b {
    }
  }
}
