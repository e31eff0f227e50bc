//! `/dev`, `/proc` and `/sys` of an `exec` task: what is there, what is hidden, and what root cannot change.
use std::path::Path;

use driver::Kind;
use serde_json::{Value, json};
use suite::need::require;
use suite::{Driven, World};

use crate::{NEEDS, tries};

/// Nodes with their numbers, all 0666 and root's (devices.txt).
const NODES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
];

/// Of the host's that a task has no node of.
const NO_NODES: [&str; 9] = [
    "kmsg",
    "mem",
    "port",
    "kvm",
    "fuse",
    "net/tun",
    "loop-control",
    "sda",
    "console",
];

/// 64 MiB (`exec.md` §9), as statfs(2) has it: type, bytes.
const SHM: &str = "1021994 67108864";

/// `docs/parity.md`, "/proc"; and two of `/sys`.
const MASKED: [&str; 11] = [
    "/proc/kcore",
    "/proc/acpi",
    "/proc/asound",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// What tunes a kernel or makes it run a program of one's choice.
const KNOBS: [&str; 14] = [
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/sysrq",
    "/proc/sys/kernel/dmesg_restrict",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/fs/binfmt_misc/register",
    "/proc/sysrq-trigger",
    "/proc/irq/default_smp_affinity",
    "/sys/kernel/uevent_helper",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/power/state",
    "/sys/block/sda/queue/scheduler",
];

const NULL: u64 = 0x103;

const EPERM: Option<i64> = Some(1);
const ENOENT: Option<i64> = Some(2);
const ENOSPC: Option<i64> = Some(28);
const EROFS: Option<i64> = Some(30);

fn ask<'a>(world: &'a World, user: &str, words: &[&str]) -> (Driven<'a>, Vec<Value>) {
    let mut task = Driven::new(world, Kind::Exec, words);
    task.task.user = user.into();
    let lines = task.run().exited(0).lines();
    (task, lines)
}

fn errnos(lines: &[Value]) -> Vec<Option<i64>> {
    lines.iter().map(|line| line["errno"].as_i64()).collect()
}

fn each(verb: &'static str, paths: &[String]) -> Vec<String> {
    paths
        .iter()
        .flat_map(|path| [verb.to_owned(), path.clone(), ",".to_owned()])
        .collect()
}

fn words(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

#[test]
fn nodes_and_links_are_nomads_and_there_are_no_others() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let nodes: Vec<_> = NODES
        .iter()
        .map(|(name, ..)| format!("/dev/{name}"))
        .collect();
    let links: Vec<_> = LINKS
        .iter()
        .map(|(name, _)| format!("/dev/{name}"))
        .collect();
    let absent: Vec<_> = NO_NODES.iter().map(|name| format!("/dev/{name}")).collect();
    let all = each("stat", &[nodes, links, absent].concat());
    let (_, lines) = ask(&world, "nobody", &words(&all));
    for ((name, major, minor), line) in NODES.iter().zip(&lines) {
        let rdev = rustix::fs::makedev(*major, *minor);
        let wanted = (&json!("20666"), &json!(0), &json!(0), &json!(rdev));
        assert_eq!(
            (&line["mode"], &line["uid"], &line["gid"], &line["rdev"]),
            wanted,
            "{name}"
        );
    }
    for ((name, target), line) in LINKS.iter().zip(&lines[NODES.len()..]) {
        assert_eq!(line["target"], json!(target), "{name}");
    }
    assert_eq!(
        errnos(&lines[NODES.len() + LINKS.len()..]),
        [ENOENT; NO_NODES.len()]
    );
}

#[test]
fn the_nodes_work() {
    if !require(tries::NEEDS) {
        return;
    }
    let world = World::shared();
    for user in ["nobody", "root"] {
        let tried = [
            "write",
            "/dev/null",
            "x",
            ",",
            "write",
            "/dev/zero",
            "x",
            ",",
            "write",
            "/dev/full",
            "x",
            ",",
            "read",
            "/dev/null",
            ",",
            "write",
            "/dev/ptmx",
            ",",
            "create",
            "/dev/shm/x",
            "x",
            ",",
            "create",
            "/dev/mqueue/queue",
            ",",
            "list",
            "/dev/pts",
            ",",
            "stat",
            "/dev/shm",
            ",",
            "list",
            "/dev/fd/",
        ];
        let (_, lines) = ask(&world, user, &tried);
        assert_eq!(
            errnos(&lines),
            [None, None, ENOSPC, None, None, None, None, None, None, None],
            "{user}"
        );
        assert_eq!(
            lines[7]["names"],
            json!(["ptmx"]),
            "{user}: a devpts of its own"
        );
        assert_eq!(lines[8]["mode"], json!("41777"), "{user}");
    }
    let shm = tries::lines(tries::exec(&world, &["statfs", "/dev/shm"]).run());
    assert!(
        shm[0]["value"].as_str().unwrap().starts_with(SHM),
        "{}",
        shm[0]
    );
}

#[test]
fn dev_cannot_be_changed_and_is_new_at_each_start() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let tried = [
        "unlink",
        "/dev/null",
        ",",
        "rename",
        "/dev/null",
        "/dev/old",
        ",",
        "symlink",
        "/proc/sys/kernel/core_pattern",
        "/dev/new",
        ",",
        "mknod",
        "/dev/disk",
        "b",
        "8",
        "0",
        ",",
        "chmod",
        "/dev/null",
        "0",
        ",",
        "chown",
        "/dev/null",
        "1",
        ",",
        "create",
        "/dev/x",
        ",",
        "unlink",
        "/dev/fd",
        ",",
        "mkdir",
        "/dev/dir",
        ",",
        "remount-rw",
        "/dev",
        ",",
        "mount",
        "/dev",
    ];
    for user in ["root", "nobody"] {
        let (mut task, lines) = ask(&world, user, &tried);
        assert_eq!(
            errnos(&lines),
            [[EROFS; 9].as_slice(), &[EPERM; 2]].concat(),
            "{user}"
        );
        let line = task.args(&["stat", "/dev/null"]).run().exited(0).line();
        assert_eq!(
            (&line["mode"], &line["rdev"]),
            (&json!("20666"), &json!(NULL)),
            "{user}, restarted"
        );
    }
}

#[test]
fn what_is_masked_is_empty_and_stays_so() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let there: Vec<_> = MASKED
        .iter()
        .filter(|path| Path::new(path).exists())
        .map(|path| (*path).to_owned())
        .collect();
    for (user, pid_mode) in [("root", "private"), ("nobody", "private"), ("root", "host")] {
        let mut tried = each("remount-rw", &there);
        let changes = tried.len() / 3;
        tried.extend(each("mount", &there));
        tried.extend(each("stat", &there));
        let mut task = Driven::new(&world, Kind::Exec, &words(&tried));
        task.config("pid_mode", pid_mode.into()).task.user = user.into();
        let lines = task.run().exited(0).lines();
        assert!(
            errnos(&lines[..2 * changes])
                .iter()
                .all(|errno| *errno == EPERM),
            "{user}"
        );
        for (path, line) in there.iter().zip(&lines[2 * changes..]) {
            if Path::new(path).is_dir() {
                let inner = format!("{path}/x");
                let lines = task
                    .args(&["list", path, ",", "create", &inner])
                    .run()
                    .exited(0)
                    .lines();
                assert_eq!(
                    (&lines[0]["names"], lines[1]["errno"].as_i64()),
                    (&json!([]), EROFS),
                    "{user} {path}"
                );
            } else {
                assert_eq!(
                    (&line["mode"], &line["rdev"]),
                    (&json!("20666"), &json!(NULL)),
                    "{user} {path}"
                );
            }
        }
    }
}

#[test]
fn no_knob_of_the_kernel_turns() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let there: Vec<_> = KNOBS
        .iter()
        .filter(|path| Path::new(path).exists())
        .map(|path| (*path).to_owned())
        .collect();
    assert!(there.len() > 5, "{there:?}");
    // Opened for writing and nothing written.
    let mut tried = each("write", &there);
    tried.extend(
        [
            "write",
            "/proc/kmsg",
            ",",
            "mkdir",
            "/proc/sys/x",
            ",",
            "mkdir",
            "/sys/fs/cgroup/x",
            ",",
            "list",
            "/sys/fs/cgroup",
        ]
        .map(str::to_owned),
    );
    for pid_mode in ["private", "host"] {
        let mut task = Driven::new(&world, Kind::Exec, &words(&tried));
        task.config("pid_mode", pid_mode.into()).task.user = "root".into();
        let lines = task.run().exited(0).lines();
        let (knobs, rest) = lines.split_at(there.len());
        assert_eq!(errnos(knobs), vec![EROFS; there.len()], "{there:?}");
        // Nothing of a cgroup is there to be written to: no release_agent, no cgroup.procs.
        assert_eq!(rest[0]["errno"].as_i64(), EPERM);
        assert!(
            [ENOENT, EROFS].contains(&rest[2]["errno"].as_i64()),
            "{}",
            rest[2]
        );
        assert!(rest[1]["errno"].is_i64());
        assert_eq!(rest[3]["names"], json!([]));
    }
}
