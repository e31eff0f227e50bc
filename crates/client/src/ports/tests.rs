#![allow(clippy::unwrap_used, reason = "tests")]
use std::collections::BTreeSet;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;

use jobspec::{Network, NetworkMode, Spanned};

use super::*;
use crate::samples;
use crate::testing::Scratch;

fn port(label: &str, number: Option<u16>) -> Port {
    Port {
        label: Spanned {
            value: label.to_owned(),
            span: 1..2,
        },
        static_port: number.map(|value| Spanned { value, span: 3..4 }),
        to: None,
        host_network: None,
        ignore_collision: false,
    }
}

fn group(ports: Vec<Port>) -> Group {
    let mut group = samples::job().groups.remove(0);
    group.network = Some(Network {
        span: 0..1,
        mode: NetworkMode::Host,
        ports,
        dns: None,
        hostname: None,
    });
    group
}

fn dynamic(count: usize) -> Group {
    group(
        (0..count)
            .map(|index| port(&format!("p{index}"), None))
            .collect(),
    )
}

fn holder(run_dir: &Path) -> Holder {
    Holder {
        job: "j".to_owned(),
        task: "t".to_owned(),
        alloc: "0af996ed".to_owned(),
        pid: 7,
        run_dir: run_dir.to_owned(),
    }
}

/// A few ports that nothing else is likely to draw from: below the kernel's own range and above Nomad's.
const RANGE: Range<u16> = 32_100..32_164;

struct Stage {
    scratch: Scratch,
    dir: Dir,
}

impl Stage {
    fn new() -> Stage {
        let scratch = Scratch::new();
        Stage {
            dir: Dir::open(scratch.path()).unwrap(),
            scratch,
        }
    }

    fn ports(&self) -> Ports<'_> {
        Ports {
            dir: &self.dir,
            dynamic: RANGE,
            reserved: &[],
            interface: None,
        }
    }

    fn claim(&self, group: &Group) -> Result<Claim, Error> {
        let nowhere = self.scratch.path().join("no run");
        self.ports()
            .claim(group, &holder(&nowhere), &mut || panic!("nobody is dying"))
    }

    fn left(&self) -> Vec<String> {
        let names = self.dir.names().unwrap();
        names.into_iter().filter(|name| name != ALL).collect()
    }
}

/// A port that is free now, and stays so unless somebody takes just that one.
fn free() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn why(claimed: Result<Claim, Error>) -> String {
    match claimed.unwrap_err() {
        Error::Unmet(mut unmet) => unmet.remove(0).detail,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_group_gets_its_static_ports_and_dynamic_ones_of_the_range() {
    let stage = Stage::new();
    let number = free();
    let mut same = port("same", None);
    same.to = Some(Spanned {
        value: -1,
        span: 0..1,
    });
    let mut mapped = port("mapped", None);
    mapped.to = Some(Spanned {
        value: 80,
        span: 0..1,
    });
    let claim = stage
        .claim(&group(vec![
            port("d", None),
            port("s", Some(number)),
            same,
            mapped,
        ]))
        .unwrap();
    let [d, s, same, mapped] = claim.ports.as_slice() else {
        panic!("{claim:?}");
    };
    assert_eq!(
        (s.label.as_str(), s.value, s.inside()),
        ("s", number, number)
    );
    assert!(RANGE.contains(&d.value));
    assert_eq!(d.inside(), d.value);
    assert_eq!(same.inside(), same.value);
    assert_eq!(mapped.inside(), 80);
    assert_eq!(s.address().to_string(), format!("127.0.0.1:{number}"));
    stage.ports().release(claim).unwrap();
    assert_eq!(stage.left(), [""; 0]);
}

#[test]
fn a_static_port_that_somebody_has_bound_is_refused_with_his_name() {
    let stage = Stage::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let number = listener.local_addr().unwrap().port();
    let told = why(stage.claim(&group(vec![port("http", Some(number))])));
    let expected = format!("port \"http\" = {number} is in use by ");
    assert!(told.starts_with(&expected), "{told}");
    let who = format!(
        "(pid {}, uid {})",
        std::process::id(),
        rustix::process::geteuid().as_raw()
    );
    assert!(told.contains(&who), "{told}");
    assert!(told.contains("from 32100-32163"), "{told}");
    assert_eq!(stage.left(), [""; 0]);
}

#[test]
fn a_port_bound_by_udp_is_in_use_too() {
    let stage = Stage::new();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let number = socket.local_addr().unwrap().port();
    let told = why(stage.claim(&group(vec![port("dns", Some(number))])));
    assert!(told.contains("is in use by "), "{told}");
}

#[test]
fn a_collision_that_the_job_ignores_is_none() {
    let stage = Stage::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let number = listener.local_addr().unwrap().port();
    let mut shared = port("http", Some(number));
    shared.ignore_collision = true;
    let claims = [0; 2].map(|_| stage.claim(&group(vec![shared.clone()])).unwrap());
    assert!(claims.iter().all(|claim| claim.ports[0].value == number));
}

#[test]
fn all_ports_are_claimed_or_none() {
    let stage = Stage::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().port();
    let asked = group(vec![port("a", Some(free())), port("b", Some(taken))]);
    assert!(why(stage.claim(&asked)).starts_with("port \"b\""));
    assert_eq!(stage.left(), [""; 0]);
}

#[test]
fn a_port_that_another_run_holds_is_refused_with_its_job() {
    let stage = Stage::new();
    let asked = group(vec![port("http", Some(free()))]);
    let held = stage.claim(&asked).unwrap();
    let told = why(stage.claim(&asked));
    assert!(
        told.contains("is held by job \"j\" (alloc 0af996ed, pid 7)"),
        "{told}"
    );
    stage.ports().release(held).unwrap();
    stage.claim(&asked).unwrap();
}

#[test]
fn two_runs_never_get_the_same_port() {
    let stage = Stage::new();
    let claim_some = || {
        (0..8)
            .map(|_| stage.claim(&dynamic(3)).unwrap())
            .collect::<Vec<_>>()
    };
    let claims: Vec<Claim> = std::thread::scope(|scope| {
        [scope.spawn(claim_some), scope.spawn(claim_some)]
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let numbers: BTreeSet<u16> = claims
        .iter()
        .flat_map(|claim| claim.ports.iter().map(|port| port.value))
        .collect();
    assert_eq!(numbers.len(), 48);
    assert!(numbers.iter().all(|number| RANGE.contains(number)));
}

#[test]
fn a_dynamic_port_is_none_that_is_bound_or_reserved() {
    let stage = Stage::new();
    let kept = 32_171..=32_171;
    let ports = Ports {
        dynamic: 32_170..32_174,
        reserved: std::slice::from_ref(&kept),
        ..stage.ports()
    };
    // When somebody else has it, it is bound all the same.
    let _bound = TcpListener::bind("127.0.0.1:32172");
    let nowhere = stage.scratch.path().join("no run");
    let claim = |count| {
        ports.claim(&dynamic(count), &holder(&nowhere), &mut || {
            panic!("nobody is dying");
        })
    };
    let told = why(claim(3));
    assert!(
        told.contains("dynamic port selection failed: all of 32170-32173 are taken"),
        "{told}"
    );
    let claim = claim(2).unwrap();
    let numbers: BTreeSet<u16> = claim.ports.iter().map(|port| port.value).collect();
    assert_eq!(numbers, BTreeSet::from([32_170, 32_173]));
    let told = why(stage.claim(&group(vec![port("x", Some(32_170))])));
    assert!(told.contains("held by job"), "{told}");
}

#[test]
fn an_interface_without_an_address_is_told_to_who_wants_a_port_and_to_nobody_else() {
    let stage = Stage::new();
    let down = Ports {
        interface: Some("nosuch0"),
        ..stage.ports()
    };
    let nowhere = stage.scratch.path().join("no run");
    let claim = |group: &Group| down.claim(group, &holder(&nowhere), &mut || ());
    assert!(claim(&group(vec![])).unwrap().ports.is_empty());
    let told = why(claim(&dynamic(1)));
    assert!(
        told.contains("client.network_interface: this host has no interface \"nosuch0\""),
        "{told}"
    );
    // What was claimed while it was up is given back, and swept up behind killed runs.
    let claim = stage.claim(&dynamic(2)).unwrap();
    down.release(claim).unwrap();
    assert!(stage.left().is_empty());
    drop(stage.claim(&dynamic(1)).unwrap());
    down.sweep().unwrap();
    assert!(stage.left().is_empty());
}

#[test]
fn the_port_of_a_killed_run_is_free_once_that_has_been_cleared() {
    let stage = Stage::new();
    let run_dir = stage.scratch.path().join("run");
    std::fs::create_dir(&run_dir).unwrap();
    let asked = group(vec![port("http", Some(free()))]);
    let ports = stage.ports();
    let killed = ports.claim(&asked, &holder(&run_dir), &mut || {}).unwrap();
    drop(killed);
    ports.sweep().unwrap();
    assert_eq!(stage.left().len(), 2, "the run and its port");
    let mut cleared = 0;
    let mut clear = || {
        cleared += 1;
        std::fs::remove_dir(&run_dir).unwrap();
    };
    let nowhere = stage.scratch.path().join("no run");
    let claim = ports.claim(&asked, &holder(&nowhere), &mut clear).unwrap();
    assert_eq!(cleared, 1);
    drop(claim);
    ports.sweep().unwrap();
    assert_eq!(stage.left(), [""; 0]);
}

#[test]
fn a_host_network_that_is_not_there_is_told_in_nomads_words() {
    let mut asked = port("http", None);
    asked.host_network = Some(Spanned {
        value: "public".to_owned(),
        span: 5..6,
    });
    let Err(Error::Unmet(unmet)) = possible(&group(vec![asked])) else {
        panic!("met");
    };
    assert!(
        unmet[0]
            .detail
            .starts_with("* Constraint \"missing host network \"public\" for port \"http\"\""),
        "{}",
        unmet[0].detail
    );
    assert!(possible(&dynamic(1)).is_ok());
}

#[test]
fn a_static_port_cannot_be_had_by_several_allocations() {
    let mut asked = group(vec![port("http", Some(80))]);
    possible(&asked).unwrap();
    asked.count = 3;
    let Err(Error::Unmet(unmet)) = possible(&asked) else {
        panic!("possible");
    };
    assert!(unmet[0].detail.contains("count = 3 asks for it as often"));
    let network = asked.network.as_mut().unwrap();
    network.ports[0].ignore_collision = true;
    possible(&asked).unwrap();
}
