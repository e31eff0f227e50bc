# nginx as a user that exists in no passwd file, with everything it writes in its own directory.
#
#   encamp run examples/nginx.nomad.hcl
#   curl http://127.0.0.1:8182/

job "nginx" {
  group "web" {
    network {
      mode = "host"
      port "http" { static = 8182 }
    }

    task "nginx" {
      driver = "exec2"

      config {
        command = "/usr/sbin/nginx"
        args    = ["-c", "${NOMAD_TASK_DIR}/nginx.conf", "-e", "stderr"]
        unveil  = ["rx:/usr/sbin/nginx", "r:/etc/nginx/mime.types", "r:/etc/ssl/openssl.cnf"]
      }

      template {
        destination = "local/nginx.conf"
        data        = <<EOH
daemon off;
pid {{ env "NOMAD_TASK_DIR" }}/nginx.pid;
error_log stderr;
events {}
http {
  include /etc/nginx/mime.types;
  access_log /dev/stdout;
  client_body_temp_path {{ env "NOMAD_TASK_DIR" }}/body;
  proxy_temp_path {{ env "NOMAD_TASK_DIR" }}/proxy;
  fastcgi_temp_path {{ env "NOMAD_TASK_DIR" }}/fastcgi;
  uwsgi_temp_path {{ env "NOMAD_TASK_DIR" }}/uwsgi;
  scgi_temp_path {{ env "NOMAD_TASK_DIR" }}/scgi;
  server {
    listen {{ env "NOMAD_ADDR_http" }};
    root {{ env "NOMAD_TASK_DIR" }}/www;
  }
}
EOH
      }

      template {
        destination = "local/www/index.html"
        data        = "Hello from nginx\n"
      }

      kill_signal = "SIGQUIT"
    }
  }
}
