job "a" {
  group "b" {
    task "c" {
      driver = "exec"
      artifact {
        source = "https://internal.file.server/name-of-my-binary"
      }
      artifact {
        source = "https://x/dir/y.gz?checksum=file:https://x/SHA256SUMS"
        mode   = "file"
      }
      artifact {
        source      = "http://x/${NOMAD_META_file}//sub"
        destination = "../alloc/data"
        mode        = "dir"
        options {
          archive  = "zip"
          checksum = "md5:d41d8cd98f00b204e9800998ecf8427e"
        }
        headers {
          User-Agent    = "nomad"
          Authorization = "Bearer ${TOKEN}"
        }
        insecure = true
        chown    = true
      }
      artifact {
        source  = "http://x/z"
        mode    = ""
        options = {
          "checksum" = "${SUM}"
        }
      }
    }
  }
}
