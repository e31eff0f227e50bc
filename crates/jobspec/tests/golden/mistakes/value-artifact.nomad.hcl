job "a" {
  group "b" {
    task "c" {
      driver = "exec"
      artifact {
        source = "https://internal.file.server/name-of-my-binary"
        options {
          checksum = "sha256:abd123445ds4555555555"
        }
      }
      artifact {
        source  = "https://x/y"
        options = {
          checksum = "file:https://x/SHA256SUMS"
        }
      }
      artifact "labelled" {
        source      = ""
        mode        = "fil"
        destination = "../../etc"
        chwon       = true
      }
      artifact {
        destination = "local/x"
        headers     = "X: y"
        insecure    = "perhaps"
      }
      artifact {
        source      = "https://x/y"
        destination = "local/../../../etc"
        options {
          checksum = ""
        }
      }
      artifact {
        source = "https://x/y"
        mode   = "elephant"
      }
    }
  }
}
