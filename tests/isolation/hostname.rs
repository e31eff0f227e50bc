//! The host name of a group, and the files that say it.
use std::fs;

use driver::Kind;
use driver::task_config::{Hosts, NetworkIsolation};
use serde_json::json;
use suite::driven::KINDS;
use suite::need::require;
use suite::{Driven, World};

use crate::NEEDS;

const NAME: &str = "web-1.example";
const ADDRESS: &str = "192.0.2.7";

const EROFS: i64 = 30;

fn isolation(hostname: &str, address: &str) -> Option<NetworkIsolation> {
    Some(NetworkIsolation {
        hosts: Some(Hosts {
            hostname: hostname.to_owned(),
            address: address.to_owned(),
        }),
        ..NetworkIsolation::default()
    })
}

fn own() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    name.trim().to_owned()
}

#[test]
fn without_a_host_name_of_its_own_it_has_the_hosts() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let uts = fs::read_link("/proc/self/ns/uts").unwrap();
    for kind in KINDS {
        for hosts in [None, isolation("", "")] {
            let mut driven = Driven::new(&world, kind, &["facts", ",", "read", "/etc/hosts"]);
            driven.task.network_isolation = hosts;
            let lines = driven.run().exited(0).lines();
            assert_eq!(lines[0]["hostname"], json!(own()), "{kind:?}");
            assert_eq!(
                lines[0]["namespaces"]["uts"],
                json!(uts.to_str()),
                "{kind:?}"
            );
            assert_eq!(
                lines[1]["text"],
                json!(fs::read_to_string("/etc/hosts").unwrap())
            );
        }
    }
}

#[test]
fn a_host_name_is_the_tasks_alone_and_its_files_say_it() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let (name, hosts) = (own(), fs::read("/etc/hosts").unwrap());
    for kind in KINDS {
        let args = [
            "facts",
            ",",
            "read",
            "/etc/hosts",
            ",",
            "read",
            "/etc/hostname",
            ",",
            "chmod",
            "/etc/hosts",
            "777",
            ",",
            "sleep",
            "600",
        ];
        let mut driven = Driven::new(&world, kind, &args);
        driven.task.user = "root".to_owned();
        driven.task.network_isolation = isolation(NAME, ADDRESS);
        if kind == Kind::Exec2 {
            driven.config("unveil", ["r:/etc/hostname"].as_slice().into());
        }
        let live = driven.start();
        let text = live.wait_for_stdout("\"errno\":30");
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines[0]["hostname"], NAME, "{kind:?}");
        let text = lines[1]["text"].as_str().unwrap();
        assert!(
            text.starts_with("127.0.0.1\tlocalhost\n"),
            "{kind:?}: {text}"
        );
        assert!(
            text.ends_with(&format!("\n{ADDRESS}\t{NAME}\n")),
            "{kind:?}: {text}"
        );
        assert_eq!(
            lines[2]["text"],
            json!(format!("{NAME}\n")),
            "{kind:?}: {}",
            lines[2]
        );
        assert_eq!(lines[3]["errno"], EROFS, "{kind:?}");
        let entered = live
            .enter(&[world.probe(), "read", "/proc/sys/kernel/hostname"])
            .line();
        assert_eq!(entered["text"], json!(format!("{NAME}\n")), "{kind:?}");
        live.stop();
    }
    assert_eq!(
        (own(), fs::read("/etc/hosts").unwrap()),
        (name, hosts),
        "the host's own"
    );
}

#[test]
fn what_is_no_host_name_or_no_address_is_refused() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let long = "x".repeat(65);
    for kind in KINDS {
        for (hostname, address, named) in [
            ("a b", ADDRESS, "\"a b\""),
            (&long, ADDRESS, &*long),
            (NAME, "192.0.2", "\"192.0.2\""),
        ] {
            let mut driven = Driven::new(&world, kind, &[]);
            driven.task.network_isolation = isolation(hostname, address);
            let told = driven.refused();
            assert!(told.contains(named), "{told}");
        }
    }
}
