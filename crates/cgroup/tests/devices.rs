//! Device rules against the kernel of this machine, as root: by the v1 controller where it is mounted, and by a program wherever there is a v2
//! hierarchy, with or without controllers.
#![deny(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]
mod world;

use cgroup::{Cgroup, Controller, DeviceAccess, DeviceKind, DeviceRule, Limits, Paths};
use world::{LIMIT, World, enter, wait_for_sleep};

/// More than the 64 programs that the kernel takes for one cgroup.
const OFTEN: usize = 70;

fn char(major: u32, minor: u32, letters: &str) -> DeviceRule {
    DeviceRule {
        kind: DeviceKind::Char,
        major: Some(major),
        minor: Some(minor),
        access: DeviceAccess::from_letters(letters).unwrap(),
    }
}

fn null(letters: &str) -> DeviceRule {
    char(1, 3, letters)
}

/// A cgroup for each way to restrict devices that this host has.
fn ways(world: &World) -> Vec<Cgroup> {
    let all = world.paths("id.all");
    let v2 = Paths {
        unified: world.paths("id.v2").unified,
        ..Paths::default()
    };
    let has_v1 = all.v1.contains_key(&Controller::Devices);
    let ways = [(has_v1, all), (v2.unified.is_some(), v2)];
    let ways = ways.into_iter().filter(|(is_here, _)| *is_here);
    ways.map(|(_, paths)| Cgroup::create(&paths).unwrap())
        .collect()
}

fn allow(cgroup: &Cgroup, rules: &[DeviceRule]) {
    let limits = Limits {
        devices: Some(rules.to_vec()),
        ..Limits::default()
    };
    assert_eq!(cgroup.apply(&limits).unwrap(), []);
}

/// Whether a script that runs inside succeeds.
fn succeeds(cgroup: &Cgroup, script: &str) -> bool {
    enter(cgroup, script).wait().unwrap().success()
}

#[test]
fn only_what_is_allowed_can_be_opened() {
    let Some(world) = World::new() else { return };
    for cgroup in ways(&world) {
        allow(&cgroup, &[null("rw"), char(1, 5, "r")]);
        assert!(succeeds(&cgroup, "exec < /dev/null"), "{cgroup:?}");
        assert!(succeeds(&cgroup, "exec > /dev/null"), "{cgroup:?}");
        assert!(succeeds(&cgroup, "exec <> /dev/null"), "{cgroup:?}");
        assert!(succeeds(&cgroup, "exec < /dev/zero"), "{cgroup:?}");
        assert!(!succeeds(&cgroup, "exec > /dev/zero"), "{cgroup:?}");
        assert!(!succeeds(&cgroup, "exec <> /dev/zero"), "{cgroup:?}");
        assert!(!succeeds(&cgroup, "exec < /dev/urandom"), "{cgroup:?}");
    }
}

#[test]
fn only_what_is_allowed_can_be_made() {
    let Some(world) = World::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    for cgroup in ways(&world) {
        let node = |name: &str, numbers: &str| {
            let path = dir.path().join(name);
            format!("mknod {0} {numbers} && rm {0}", path.display())
        };
        allow(&cgroup, &[null("m")]);
        assert!(succeeds(&cgroup, &node("null", "c 1 3")), "{cgroup:?}");
        assert!(!succeeds(&cgroup, &node("zero", "c 1 5")), "{cgroup:?}");
        assert!(!succeeds(&cgroup, &node("disk", "b 1 3")), "{cgroup:?}");
        assert!(succeeds(&cgroup, &node("fifo", "p")), "{cgroup:?}");
        assert!(!succeeds(&cgroup, "exec < /dev/null"), "{cgroup:?}");
    }
}

#[test]
fn a_cgroup_that_is_used_again_has_the_last_rules() {
    let Some(world) = World::new() else { return };
    for cgroup in ways(&world) {
        for _ in 0..OFTEN {
            allow(&cgroup, &[null("r")]);
            allow(&cgroup, &[null("w"), char(1, 5, "r")]);
        }
        assert!(succeeds(&cgroup, "exec > /dev/null"), "{cgroup:?}");
        assert!(succeeds(&cgroup, "exec < /dev/zero"), "{cgroup:?}");
        assert!(!succeeds(&cgroup, "exec < /dev/null"), "{cgroup:?}");
    }
}

#[test]
fn rules_reach_whoever_is_inside_and_nobody_else() {
    let Some(world) = World::new() else { return };
    for cgroup in ways(&world) {
        let mut child = enter(&cgroup, "exec sleep 1000");
        wait_for_sleep(&child);
        allow(&cgroup, &[]);
        assert!(!succeeds(&cgroup, "exec < /dev/null"), "{cgroup:?}");
        assert!(std::fs::File::open("/dev/null").is_ok());
        cgroup.empty(LIMIT).unwrap();
        let _ = child.wait().unwrap();
        cgroup.remove().unwrap();
    }
}
