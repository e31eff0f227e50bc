//! Hosts that lack something a task needs: one error that names it, the documented exit code, and nothing made.
use std::process::Command;
use std::time::Duration;

use suite::binaries::c_program;
use suite::need::require;
use suite::{HostState, Need, Outcome, Running, World};

use crate::EXEC_NEEDS;

/// landlock_create_ruleset, landlock_add_rule, landlock_restrict_self (the numbers are those of every architecture).
const LANDLOCK: [&str; 3] = ["444", "445", "446"];

/// Calls that are older than the oldest kernel, so that there is no other way.
const MOUNT_CALLS: [(&str, &str); 2] = [("428", "open_tree"), ("442", "mount_setattr")];

/// What a start needs that is refused anyway.
const HOST: &[Need] = &[Need::Root, Need::Cgroup];

/// The host's fault.
const HOST_FAILED: i32 = 125;

/// Runs a command on a kernel that answers ENOSYS to some system calls.
const HIDE: &str = "isolation/hide.c";

/// The command of a world's job, run by another program first.
fn through(world: &World, driver: &str, first: &str, args: &[&str]) -> Outcome {
    let inner = world.command(&world.job(driver, &["exit", "0"]));
    let mut command = Command::new(first);
    command
        .args(args)
        .arg(inner.get_program())
        .args(inner.get_args());
    Running::start(&mut command).wait()
}

#[test]
fn without_landlock_exec2_is_refused_and_exec_runs() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::alone();
    let before = HostState::take();
    let hide = c_program(HIDE).display().to_string();
    let mut args = LANDLOCK.to_vec();
    args.push("--");
    let outcome = through(&world, "exec2", &hide, &args);
    assert_eq!(outcome.code, Some(HOST_FAILED), "{outcome:?}");
    assert!(
        outcome.stderr.contains("landlock not available"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("lsm="), "{}", outcome.stderr);
    before.assert_restored(Duration::from_secs(5));
    let _ = through(&world, "exec", &hide, &args).exited(0);
}

#[test]
fn without_detached_mounts_both_drivers_are_refused_by_the_name_of_the_call() {
    if !require(HOST) {
        return;
    }
    let world = World::alone();
    let before = HostState::take();
    let hide = c_program(HIDE).display().to_string();
    for (number, name) in MOUNT_CALLS {
        for driver in crate::DRIVERS {
            let outcome = through(&world, driver, &hide, &[number, "--"]);
            assert_eq!(outcome.code, Some(HOST_FAILED), "{outcome}");
            assert!(outcome.stderr.contains(name), "{driver} {name}: {outcome}");
        }
    }
    before.assert_restored(Duration::from_secs(5));
}

#[test]
fn without_cgroups_both_drivers_are_refused() {
    if !require(HOST) {
        return;
    }
    let world = World::alone();
    let before = HostState::take();
    for driver in crate::DRIVERS {
        let script = "umount -R /sys/fs/cgroup && exec \"$@\"";
        let outcome = through(&world, driver, "unshare", &["-m", "sh", "-c", script, "sh"]);
        assert_eq!(outcome.code, Some(HOST_FAILED), "{outcome:?}");
        assert!(
            outcome.stderr.contains("no usable cgroup hierarchy"),
            "{}",
            outcome.stderr
        );
    }
    before.assert_restored(Duration::from_secs(5));
}
