//! Configuration files of an agent: what is read, what is let through, and what is wrong with the rest.
//!
//! `UPDATE_GOLDEN=1 cargo test -p jobspec` writes the expected files anew; read the difference before committing it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use jobspec::Value;
use jobspec::agent::{Agent, parse};

const PLUGINS: [&str; 4] = ["exec", "nomad-driver-exec", "exec2", "nomad-driver-exec2"];

fn read(text: &str) -> Agent {
    parse("a.hcl", text, &PLUGINS).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes:#?}"))
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn passed(agent: &Agent) -> Vec<&str> {
    agent.passed.iter().map(|key| key.value.as_str()).collect()
}

#[test]
fn an_empty_file_says_nothing() {
    assert_eq!(read(""), Agent::default());
    assert_eq!(read("# nothing\nclient {\n}\n"), Agent::default());
    assert_eq!(read("name = \"\"\nregion = \"\"\n"), Agent::default());
}

#[test]
fn everything_is_read() {
    let agent = read(
        r#"
name       = "one"
"data_dir" = "/srv/encamp"
region     = "eu"
datacenter = "vienna"

client {
  node_class       = "big"
  node_pool        = "web"
  cgroup_parent    = "a.slice/b.slice"
  max_kill_timeout = "1m"
  meta {
    "rack.row" = 5
    owner      = "ops"
  }
  options = {
    "driver.denylist" = "exec"
  }
  chroot_env {
    "/bin"     = "/bin"
    "/opt/etc" = "/etc"
  }
  host_volume "data" {
    path = "/srv/data"
  }
  host_volume "certs" {
    path      = "/etc/ssl"
    read_only = "true"
  }
  reserved {
    cores          = "0,2-3"
    cpu            = 500
    memory         = 512
    disk           = 0
    reserved_ports = "22,80"
  }
  users {
    dynamic_user_min = 90000
    dynamic_user_max = 90009
  }
}
"#,
    );
    let text = |given: &Option<jobspec::Spanned<String>>| given.as_ref().unwrap().value.clone();
    assert_eq!(text(&agent.name), "one");
    assert_eq!(text(&agent.data_dir), "/srv/encamp");
    assert_eq!(text(&agent.region), "eu");
    assert_eq!(text(&agent.datacenter), "vienna");
    let client = &agent.client;
    assert_eq!(text(&client.node_class), "big");
    assert_eq!(text(&client.node_pool), "web");
    assert_eq!(text(&client.parent), "a.slice/b.slice");
    assert_eq!(
        client.max_kill_timeout.as_ref().unwrap().value,
        Duration::from_secs(60)
    );
    assert_eq!(client.meta, map(&[("owner", "ops"), ("rack.row", "5")]));
    assert_eq!(
        client.options.as_ref().unwrap().value,
        map(&[("driver.denylist", "exec")])
    );
    assert_eq!(
        client.chroot_env.as_ref().unwrap().value,
        map(&[("/bin", "/bin"), ("/opt/etc", "/etc")])
    );
    let volumes: Vec<_> = client
        .host_volumes
        .iter()
        .map(|volume| {
            (
                volume.name.value.as_str(),
                volume.path.value.as_str(),
                volume.read_only,
            )
        })
        .collect();
    assert_eq!(
        volumes,
        [("data", "/srv/data", false), ("certs", "/etc/ssl", true)]
    );
    assert_eq!(text(&client.reserved_cores), "0,2-3");
    assert_eq!(text(&client.reserved_ports), "22,80");
    assert_eq!(client.dynamic_user_min.as_ref().unwrap().value, 90_000);
    assert_eq!(client.dynamic_user_max.as_ref().unwrap().value, 90_009);
    assert_eq!(
        passed(&agent),
        [
            "client.reserved.cpu",
            "client.reserved.memory",
            "client.reserved.disk"
        ]
    );
}

#[test]
fn a_plugins_configuration_is_read_with_places() {
    let text = r#"
plugin "exec" {
  args = ["--driver=exec"]
  config {
    no_pivot_root = true
    allow_caps    = ["all"]
    chroot_env {
      "/srv/root" = "/usr"
    }
  }
}
plugin "docker" {
  config {
    volumes {
      enabled = true
    }
  }
}
plugin "exec2" {}
"#;
    let agent = read(text);
    let [exec, exec2] = agent.plugins.as_slice() else {
        panic!("two plugins, not {:#?}", agent.plugins)
    };
    assert_eq!(
        (exec.name.value.as_str(), exec2.name.value.as_str()),
        ("exec", "exec2")
    );
    assert_eq!(exec.args.as_ref().unwrap().value, ["--driver=exec"]);
    let chroot = &exec.config.attributes["chroot_env"];
    assert_eq!(&text[chroot.name_span.clone()], "chroot_env");
    let one = Value::Object(BTreeMap::from([(
        "/srv/root".to_owned(),
        Value::String("/usr".to_owned()),
    )]));
    assert_eq!(chroot.value, one);
    let caps = &exec.config.attributes["allow_caps"];
    assert_eq!(&text[caps.value_span.clone()], "[\"all\"]");
    assert_eq!(passed(&agent), ["plugin \"docker\""]);
}

#[test]
fn what_belongs_to_a_cluster_is_let_through() {
    let agent = read(
        r#"
log_level = "DEBUG"
server {
  enabled          = true
  bootstrap_expect = 1
}
http_api_response_headers {
  "Access-Control-Allow-Origin" = "*"
}
telemetry {
}
client {
  enabled = true
  servers = ["10.0.0.1"]
  host_network "public" {
    cidr = "10.0.0.0/8"
  }
  options {
    "docker.cleanup.image" = "false"
  }
}
"#,
    );
    assert_eq!(
        passed(&agent),
        [
            "log_level",
            "server",
            "http_api_response_headers",
            "telemetry",
            "client.enabled",
            "client.servers",
            "client.host_network",
            "client.options \"docker.cleanup.image\"",
        ]
    );
}

#[test]
fn mistakes_are_explained() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/agent");
    let mut files: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "hcl"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mistakes = parse("a.hcl", &text, &PLUGINS).expect_err(&file.display().to_string());
        let got: String = mistakes
            .iter()
            .map(|mistake| {
                let context = mistake.context.as_deref().unwrap_or("-");
                format!(
                    "{}\n  in {context}, {}\n",
                    mistake.one_line("a.hcl", &text),
                    mistake.code
                )
            })
            .collect();
        let expected = file.with_extension("txt");
        if env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&expected, &got).unwrap();
        }
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        assert!(
            wanted == got,
            "{}\n--- expected\n{wanted}\n--- got\n{got}",
            expected.display()
        );
    }
}

/// Any prefix, and any line left out, is refused or read; never a panic.
#[test]
fn no_text_makes_it_panic() {
    let text = "name = \"é\"\nclient {\n  chroot_env {\n    \"/b\\\"in\" = \"/x\"\n \"\" = 1\n \"a\" = 2 }\n  options = { \"a.b\" = 1 }\n  host_volume \"v\" { path = <<EOT\n/srv\nEOT\n }\n}\nplugin \"exec\" { config { \"a b\" = [1, { c = 2 }] } }\n";
    for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
        let _ = parse("a.hcl", &text[..end], &PLUGINS);
        let _ = parse("a.hcl", &text[end..], &PLUGINS);
    }
}
