//! capabilities(7): the five sets, exactly, and no_new_privs. What the host's own bounding set lacks cannot be given.
use serde_json::{Value, json};
use suite::World;
use suite::need::require;

use crate::{EXEC_NEEDS, NEEDS, facts};

/// Nomad's thirteen: chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, sys_chroot, mknod,
/// audit_write, setfcap.
const NOMADS_DEFAULT: u64 = 0xa804_05fb;

const NET_BIND_SERVICE: u64 = 1 << 10;

/// The sets in the order of proc_pid_status(5).
const SETS: [&str; 5] = [
    "inheritable",
    "permitted",
    "effective",
    "bounding",
    "ambient",
];

fn host_bounding() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))
        .unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

fn sets(facts: &Value) -> [u64; 5] {
    SETS.map(|name| u64::from_str_radix(facts["capabilities"][name].as_str().unwrap(), 16).unwrap())
}

#[test]
fn under_exec_nobody_has_nomads_default_in_all_five_sets() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let facts = facts(&world, &world.job("exec", &[]));
    assert_eq!(
        sets(&facts),
        [NOMADS_DEFAULT & host_bounding(); 5],
        "{:#x?}",
        sets(&facts)
    );
}

#[test]
fn under_exec_root_has_what_the_lists_grant_and_nothing_to_inherit() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let facts = facts(&world, &world.job("exec", &[]).user("root"));
    let granted = NOMADS_DEFAULT & host_bounding();
    assert_eq!(
        sets(&facts),
        [0, granted, granted, granted, 0],
        "{:#x?}",
        sets(&facts)
    );
}

#[test]
fn cap_drop_takes_and_cap_add_gives() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let job = world
        .job("exec", &[])
        .config("cap_drop = [\"all\"]")
        .config("cap_add = [\"net_bind_service\"]");
    assert_eq!(
        sets(&facts(&world, &job)),
        [NET_BIND_SERVICE & host_bounding(); 5]
    );
}

#[test]
fn a_capability_that_the_operator_does_not_allow_is_an_error_that_names_it() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let outcome = world.run(&world.job("exec", &[]).config("cap_add = [\"sys_admin\"]"));
    assert_ne!(outcome.code, Some(0), "{outcome}");
    assert!(
        outcome.stderr.contains("sys_admin") && outcome.stdout.is_empty(),
        "{outcome}"
    );
}

#[test]
fn under_exec2_nobody_has_any_not_even_root() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for job in [
        world.job("exec2", &[]),
        world.job("exec2", &[]).user("root"),
    ] {
        let facts = facts(&world, &job);
        assert_eq!(
            sets(&facts),
            [0; 5],
            "uid {}: {:#x?}",
            facts["uid"],
            sets(&facts)
        );
    }
}

#[test]
fn no_new_privs_is_set_under_exec2_and_not_under_exec() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    assert_eq!(
        facts(&world, &world.job("exec", &[]))["no_new_privs"],
        json!(false)
    );
    assert_eq!(
        facts(&world, &world.job("exec2", &[]))["no_new_privs"],
        json!(true)
    );
}

#[test]
fn securebits_are_left_alone() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in crate::DRIVERS {
        assert_eq!(
            facts(&world, &world.job(driver, &[]))["securebits"],
            json!(0),
            "{driver}"
        );
    }
}
