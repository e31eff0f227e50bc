//! network_namespaces(7): real ones, made by ip-netns(8) in a network namespace of the test's own.
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use driver::task_config::{NetworkIsolation, NetworkMode};
use serde_json::{Value, json};
use suite::driven::KINDS;
use suite::need::require;
use suite::{Apart, Driven, World};

use crate::{NEEDS, strings};

/// The host's end and the namespace's.
const OUTER: &str = "192.0.2.1";
const INNER: &str = "192.0.2.2";

/// Where ip-netns(8) binds it.
const NETNS: &str = "/run/netns/alloc";

const ENETUNREACH: i64 = 101;
const ECONNREFUSED: i64 = 111;

fn ip(words: &str) {
    let output = Command::new("ip").args(words.split(' ')).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words}: {told}");
}

/// A namespace as a client makes it for a group, reachable through a veth pair.
fn group() {
    for words in [
        "netns add alloc",
        "link add outer type veth peer name inner netns alloc",
        "addr add 192.0.2.1/24 dev outer",
        "link set outer up",
        "-n alloc addr add 192.0.2.2/24 dev inner",
        "-n alloc link set inner up",
        "-n alloc link set lo up",
    ] {
        ip(words);
    }
}

fn isolation(mode: NetworkMode, path: &str) -> Option<NetworkIsolation> {
    Some(NetworkIsolation {
        mode,
        path: path.into(),
        ..NetworkIsolation::default()
    })
}

fn link(path: &str) -> Value {
    json!(fs::read_link(path).unwrap().to_str().unwrap())
}

#[test]
fn a_group_has_the_addresses_of_its_namespace() {
    if !require(NEEDS) {
        return;
    }
    Apart::Network.run(|world| {
        group();
        for kind in KINDS {
            let mut driven = Driven::new(
                world,
                kind,
                &["facts", ",", "addresses", ",", "sleep", "600"],
            );
            driven.task.network_isolation = isolation(NetworkMode::Group, NETNS);
            let live = driven.start();
            let text = live.wait_for_stdout("\"addresses\":[");
            let lines: Vec<Value> = text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            assert_ne!(
                lines[0]["namespaces"]["net"],
                link("/proc/self/ns/net"),
                "{kind:?}"
            );
            assert!(
                strings(&lines[1]["addresses"]).contains(&INNER.to_owned()),
                "{}",
                lines[1]
            );
            assert!(
                !strings(&lines[1]["addresses"]).contains(&OUTER.to_owned()),
                "{}",
                lines[1]
            );
            let entered = live.enter(&[world.probe(), "addresses"]).line();
            assert_eq!(entered["addresses"], lines[1]["addresses"], "{kind:?}");
            assert_eq!(
                fs::read_link(format!("/proc/{}/ns/net", live.pid()))
                    .unwrap()
                    .to_str(),
                lines[0]["namespaces"]["net"].as_str()
            );
            live.stop();
        }
    });
}

#[test]
fn a_group_meets_the_host_only_at_the_end_of_its_cable() {
    if !require(NEEDS) {
        return;
    }
    Apart::Network.run(|world| {
        group();
        let loopback = TcpListener::bind("127.0.0.1:0").unwrap();
        let cable = TcpListener::bind((OUTER, 0)).unwrap();
        let address = |listener: &TcpListener| listener.local_addr().unwrap().to_string();
        for kind in KINDS {
            let mut driven = Driven::new(
                world,
                kind,
                &[
                    "connect",
                    &address(&loopback),
                    ",",
                    "connect",
                    &address(&cable),
                ],
            );
            driven.task.network_isolation = isolation(NetworkMode::Group, NETNS);
            let lines = driven.run().exited(0).lines();
            assert_eq!(
                lines[0]["errno"], ECONNREFUSED,
                "{kind:?}: the host's loopback device"
            );
            assert_eq!(lines[1]["ok"], true, "{kind:?}: {}", lines[1]);
            let mut greeting = String::new();
            let mut peer = cable.accept().unwrap();
            peer.0.read_to_string(&mut greeting).unwrap();
            assert_eq!(peer.1.ip().to_string(), INNER, "{kind:?}");
        }
    });
}

#[test]
fn a_server_in_a_group_is_reached_at_the_groups_address() {
    if !require(NEEDS) {
        return;
    }
    Apart::Network.run(|world| {
        group();
        for kind in KINDS {
            let mut driven = Driven::new(world, kind, &["listen", "0.0.0.0:7070", "hello"]);
            driven.task.network_isolation = isolation(NetworkMode::Group, NETNS);
            let live = driven.start();
            live.wait_for_stdout("\"listening\"");
            assert!(
                std::net::TcpStream::connect("127.0.0.1:7070").is_err(),
                "it listens on the host"
            );
            let mut stream = std::net::TcpStream::connect((INNER, 7070)).unwrap();
            stream.flush().unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            assert_eq!(text, "hello", "{kind:?}");
            drop(live.wait().exited(0));
        }
    });
}

#[test]
fn under_exec_sysfs_shows_the_devices_of_its_namespace() {
    if !require(NEEDS) {
        return;
    }
    Apart::Network.run(|world| {
        group();
        let mut driven = Driven::new(world, driver::Kind::Exec, &["list", "/sys/class/net"]);
        driven.task.network_isolation = isolation(NetworkMode::Group, NETNS);
        let line = driven.run().exited(0).line();
        assert_eq!(line["names"], json!(["inner", "lo"]), "{line}");
    });
}

#[test]
fn a_task_without_a_network_has_a_loopback_device_and_nothing_else() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for kind in KINDS {
        let args = [
            "facts",
            ",",
            "addresses",
            ",",
            "connect",
            &address,
            ",",
            "connect",
            "192.0.2.1:1",
            ",",
            "sleep",
            "600",
        ];
        let mut driven = Driven::new(&world, kind, &args);
        driven.task.network_isolation = isolation(NetworkMode::None, "");
        let live = driven.start();
        let text = live.wait_for_stdout("\"errno\":101");
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_ne!(
            lines[0]["namespaces"]["net"],
            link("/proc/self/ns/net"),
            "{kind:?}"
        );
        assert_eq!(
            lines[1]["addresses"],
            json!(["127.0.0.1", "::1"]),
            "{kind:?}"
        );
        // Refused by its own device, which is up, not by the absence of one.
        assert_eq!(lines[2]["errno"], ECONNREFUSED, "{kind:?}");
        assert_eq!(lines[3]["errno"], ENETUNREACH, "{kind:?}");
        let entered = live.enter(&[world.probe(), "facts"]).stdout;
        assert!(
            entered.contains(lines[0]["namespaces"]["net"].as_str().unwrap()),
            "{kind:?}: {entered}"
        );
        live.stop();
    }
}

#[test]
fn a_namespace_that_the_client_made_for_none_is_joined() {
    if !require(NEEDS) {
        return;
    }
    Apart::Network.run(|world| {
        ip("netns add alloc");
        for kind in KINDS {
            let mut driven = Driven::new(world, kind, &["addresses"]);
            driven.task.network_isolation = isolation(NetworkMode::None, NETNS);
            // Its loopback device is the client's to bring up.
            assert_eq!(
                driven.run().exited(0).line()["addresses"],
                json!([]),
                "{kind:?}"
            );
        }
    });
}

#[test]
fn what_is_no_network_namespace_is_named_before_anything_runs() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::new(&world, kind, &[]);
        let missing = driven.root().join("missing").display().to_string();
        let file = driven.root().join("file").display().to_string();
        let fifo = driven.task.stdout_path.display().to_string();
        fs::write(&file, "").unwrap();
        let cases = [
            (
                missing.clone(),
                format!("open the network namespace {missing}: No such file or directory"),
            ),
            (file.clone(), format!("{file} is not a network namespace")),
            (fifo.clone(), format!("{fifo} is not a network namespace")),
            (
                "/proc".to_owned(),
                "/proc is not a network namespace".to_owned(),
            ),
        ];
        for (path, wanted) in cases {
            driven.task.network_isolation = isolation(NetworkMode::Group, &path);
            let told = driven.refused();
            assert!(told.contains(&wanted), "{told}");
        }
        driven.task.network_isolation = isolation(NetworkMode::Group, "");
        assert!(
            driven
                .refused()
                .contains("without a network namespace to join")
        );
    }
}
