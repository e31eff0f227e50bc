//! TCP ports under `network_rules` (Landlock ABI 4), the ways past them, and kernels that know none.
use std::net::TcpListener;

use suite::need::{Need, require};
use suite::{Job, World};

use crate::call::Call;

const ACCES: i32 = 13;
const NOSYS: i32 = 38;
const PROTONOSUPPORT: i32 = 93;
const AFNOSUPPORT: i32 = 97;
const OPNOTSUPP: i32 = 95;

/// The host's fault.
const HOST_FAILED: i32 = 125;

/// `MSG_FASTOPEN`.
const FASTOPEN: &str = "0x20000000";

const NEEDS: &[Need] = &[
    Need::Root,
    Need::Cgroup,
    Need::DetachedMounts,
    Need::Landlock,
    Need::Cc,
];

/// Two ports of the host's loopback that somebody listens on.
struct Ports {
    _listeners: [TcpListener; 2],
    allowed: u16,
    other: u16,
}

fn ports() -> Ports {
    let listeners = [0, 0].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
    let [allowed, other] = [0, 1].map(|at: usize| listeners[at].local_addr().unwrap().port());
    Ports {
        _listeners: listeners,
        allowed,
        other,
    }
}

/// Whether the kernel knows ports; where it does not, the job must be refused.
fn known(world: &World, job: &Job) -> bool {
    let abi = sandbox::landlock::abi().unwrap_or(0);
    if abi < 4 {
        let outcome = world.run(job).exited(HOST_FAILED);
        let told = "limiting TCP ports needs Landlock ABI 4";
        assert!(outcome.stderr.contains(told), "{outcome}");
    }
    abi >= 4
}

fn rules(entries: &[String]) -> String {
    format!("network_rules = {entries:?}")
}

#[test]
fn without_rules_any_port_will_do() {
    if !require(NEEDS) {
        return;
    }
    let (world, call, ports) = (World::shared(), Call::install(), ports());
    let attempts = ["bind:0".to_owned(), format!("connect:{}", ports.other)];
    let job = call.job("exec2", &attempts.each_ref().map(String::as_str));
    assert_eq!(call.met(&world, &job), [0, 0]);
}

#[test]
fn what_no_rule_names_is_refused() {
    if !require(NEEDS) {
        return;
    }
    let (world, call, ports) = (World::shared(), Call::install(), ports());
    let attempts = [
        format!("connect:{}", ports.allowed),
        format!("connect:{}", ports.other),
        "bind:0".to_owned(),
    ];
    let attempts = attempts.each_ref().map(String::as_str);
    for (entries, expected) in [
        (
            vec![format!("connect:{}", ports.allowed)],
            [0, ACCES, ACCES],
        ),
        (vec!["connect:*".to_owned()], [0, 0, ACCES]),
        (vec!["bind:0".to_owned()], [ACCES, ACCES, 0]),
        (
            vec!["bind:*".to_owned(), "connect:1-9".to_owned()],
            [ACCES, ACCES, 0],
        ),
        (vec!["none".to_owned()], [ACCES; 3]),
    ] {
        let job = call.job("exec2", &attempts).config(&rules(&entries));
        if !known(&world, &job) {
            return;
        }
        assert_eq!(call.met(&world, &job), expected, "{entries:?}");
    }
}

#[test]
fn there_is_no_way_past_the_rules() {
    if !require(NEEDS) {
        return;
    }
    let (world, call, ports) = (World::shared(), Call::install(), ports());
    let fastopen = format!("fastopen:{}", ports.other);
    let mptcp = format!("mptcp:{}", ports.other);
    let [sendmsg, sendmmsg] =
        ["64:46:-1:0", "64:307:-1:0:0"].map(|call| format!("{call}:{FASTOPEN}"));
    let ways = [
        (fastopen.as_str(), OPNOTSUPP),
        (&mptcp, PROTONOSUPPORT),
        (&sendmsg, OPNOTSUPP),
        (&sendmmsg, OPNOTSUPP),
        // MPTCP by socket(2) of i386, and by its socketcall(2), which no filter can look into.
        ("32:359:2:1:262", PROTONOSUPPORT),
        ("32:102:1:0", NOSYS),
        // AF_SMC, and SMC as a protocol.
        ("64:41:43:1:0", AFNOSUPPORT),
        ("64:41:2:1:256", PROTONOSUPPORT),
    ];
    let attempts = ways.map(|(attempt, _)| attempt);
    let job = call
        .job("exec2", &attempts)
        .config(&rules(&[format!("connect:{}", ports.allowed)]));
    if known(&world, &job) {
        assert_eq!(call.met(&world, &job), ways.map(|(_, errno)| errno));
    }
}

#[test]
fn an_entry_that_is_none_is_an_error_that_names_it() {
    if !require(NEEDS) {
        return;
    }
    let (world, call) = (World::shared(), Call::install());
    let job = call.job("exec2", &["threads"]);
    let outcome = world.run(&job.config(&rules(&["tcp:80".to_owned()])));
    assert_ne!(outcome.code, Some(0), "{outcome}");
    assert!(
        outcome.stderr.contains("network_rules entry \"tcp:80\""),
        "{outcome}"
    );
}
