job "example" {
  type = "batch"

  group "web" {
    task "python" {
      driver = "exec2"

      env {
        A = uper("ENV")
        B = upper()
        C = upper("a", "b")
        D = upper(["a"])
        E = upper(null)
        F = max()
        G = max("a"...)
        H = format("%d", 1.5)
        I = file("x.txt")
        J = try(upper(), local.x)
        K = convert("a", list(nothing))
        L = parseint("zz", 10)
        M = "${join(",", 5)}"
        N = upper(missing(1))
      }

      config {
        command = "$${join(\",\", [])}"
        args    = [for x in ["a", "a"] : x if 5]
        more    = { for x in ["a", "a"] : x => 1 }
        null    = [for x in null : x]
        key     = { for x in [[]] : x => 1 }
        plain   = provider::f(1)
      }
    }
  }
}
