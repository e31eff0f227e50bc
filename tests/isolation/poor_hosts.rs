//! Hosts that lack something a task needs: one error that names it, the documented exit code, and nothing made.
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use suite::binaries::c_program;
use suite::need::require;
use suite::{HostState, Job, Need, Outcome, Running, World};

use crate::EXEC_NEEDS;

/// landlock_create_ruleset, landlock_add_rule, landlock_restrict_self (the numbers are those of every architecture).
const LANDLOCK: [&str; 3] = ["444", "445", "446"];

/// No node can take the job.
const MISSING_DRIVERS: i32 = 2;
/// Nomad's words for it, as its documentation of `exec` has them.
const CONSTRAINT: &str = "* Constraint \"missing drivers\": 1 nodes excluded by filter";
/// Calls that are older than the oldest kernel, so that there is no other way.
const MOUNT_CALLS: [(&str, &str); 6] = [
    ("428", "open_tree"),
    ("429", "move_mount"),
    ("430", "fsopen"),
    ("432", "fsmount"),
    ("437", "openat2"),
    ("442", "mount_setattr"),
];

/// clone3.
const CLONE3: [&str; 2] = ["435", "--"];

/// Facts of a task that each run has anew.
const OF_THE_RUN: [&str; 7] = [
    "cgroups",
    "cwd",
    "descriptors",
    "env",
    "executable",
    "mounts",
    "namespaces",
];

/// What a start needs that is refused anyway.
const HOST: &[Need] = &[Need::Root, Need::Cgroup];

/// The host's fault.
const HOST_FAILED: i32 = 125;

/// Runs a command on a kernel that answers ENOSYS to some system calls.
const HIDE: &str = "isolation/hide.c";

/// The command of a world's job, run by another program first.
fn through(world: &World, driver: &str, first: &str, args: &[&str]) -> Outcome {
    let job = world.job(driver, &["exit", "0"]);
    job_through(world, &job, first, args)
}

fn job_through(world: &World, job: &Job, first: &str, args: &[&str]) -> Outcome {
    let inner = world.command(job);
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
    assert_eq!(outcome.code, Some(MISSING_DRIVERS), "{outcome:?}");
    assert!(
        outcome.stderr.contains("landlock not available"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("lsm="), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(CONSTRAINT), "{}", outcome.stderr);
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
            assert!(outcome.stderr.contains(&format!("{name}(2)")), "{outcome}");
            let told = outcome.stderr.matches("not available").count();
            assert_eq!(told, 1, "{outcome}");
            assert!(outcome.stderr.contains("seccomp"), "{outcome}");
            assert_eq!(outcome.stdout, "", "{outcome}");
        }
    }
    before.assert_restored(Duration::from_secs(5));
}

#[test]
fn without_clone3_tasks_run_with_the_same_facts() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::alone();
    let before = HostState::take();
    let hide = c_program(HIDE).display().to_string();
    for driver in crate::DRIVERS {
        let job = world.job(driver, &["facts"]).user("root");
        let with = crate::facts(&world, &job);
        let without = job_through(&world, &job, &hide, &CLONE3).exited(0).line();
        assert_eq!(lasting(&with), lasting(&without), "{driver}");
        assert_eq!(hierarchies(&with), hierarchies(&without), "{driver}");
    }
    before.assert_restored(Duration::from_secs(5));
}

#[test]
fn without_clone3_codes_and_signals_are_told_as_ever() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let hide = c_program(HIDE).display().to_string();
    for driver in crate::DRIVERS {
        let job = world.job(driver, &["exit", "3"]);
        let _ = job_through(&world, &job, &hide, &CLONE3).exited(3);
        let job = world
            .job(driver, &["eat-memory", "256"])
            .task("resources { memory = 64 }");
        let _ = job_through(&world, &job, &hide, &CLONE3).exited(137);
    }
}

/// What does not change from run to run. (A filter was put on from outside, and stays.)
fn lasting(facts: &Value) -> Value {
    let mut facts = facts.clone();
    let object = facts.as_object_mut().unwrap();
    for name in OF_THE_RUN {
        object.remove(name);
    }
    object.remove("seccomp");
    object.remove("seccomp_filters");
    facts
}

/// Where the task is, without its name.
fn hierarchies(facts: &Value) -> Vec<String> {
    let id = facts["env"]["NOMAD_ALLOC_ID"].as_str().unwrap();
    let lines = crate::strings(&facts["cgroups"]);
    lines.iter().map(|line| line.replace(id, "ID")).collect()
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
        assert_eq!(outcome.code, Some(MISSING_DRIVERS), "{outcome:?}");
        assert!(
            outcome.stderr.contains("no usable cgroup hierarchy"),
            "{}",
            outcome.stderr
        );
    }
    before.assert_restored(Duration::from_secs(5));
}
