//! SIGKILL in the foreground: of the command, of the shim, of both. The task never outlives them, and what is left is swept by the next run.
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use suite::binaries::PROBE_PREFIX;
use suite::host::pids_named;
use suite::need::require;
use suite::{HostState, Running, World};

use crate::{DRIVERS, EXEC_NEEDS};

/// The shim's name as ps(1) shows it.
const SHIM: &str = "encamp-shim";

/// How long a death may take to be seen.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the command exits with when it lost its shim: the fault is ours.
const LOST: i32 = 125;

/// The one shim on this host, by its host pid; its children that carry its name are no shims.
pub(crate) fn shim() -> i32 {
    let named = pids_named(SHIM);
    let parent = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<i32>().ok())
            .unwrap_or_default()
    };
    let shims: Vec<_> = named
        .iter()
        .filter(|(pid, _)| !named.iter().any(|(other, _)| *other == parent(*pid)))
        .collect();
    assert_eq!(shims.len(), 1, "one shim for one task: {named:?}");
    shims[0].0
}

/// A task that nothing but SIGKILL ends, and its host pid.
fn stubborn(world: &World, driver: &str) -> (Running, i32) {
    let running = world.start(
        &world
            .job(driver, &["ignore", "INT"])
            .task("kill_timeout = \"25s\""),
    );
    let _ = running.wait_for_stdout(crate::CATCHING);
    let tasks = pids_named(PROBE_PREFIX);
    assert_eq!(tasks.len(), 1, "{driver}: {tasks:?}");
    (running, tasks[0].0)
}

fn kill(pid: i32) {
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[track_caller]
fn assert_gone(what: &str, prefix: &str) {
    let deadline = Instant::now() + suite::run::patience(PATIENCE);
    while !pids_named(prefix).is_empty() {
        assert!(
            Instant::now() < deadline,
            "{what}: still there: {:?}",
            pids_named(prefix)
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A run that ends well sweeps what crashed ones left.
#[track_caller]
fn assert_next_run_sweeps(world: &World, before: &HostState) {
    let _ = world.run(&world.job("exec", &["exit", "0"])).exited(0);
    before.assert_restored(PATIENCE);
}

fn quiet_world() -> (World, HostState) {
    let world = World::alone();
    for driver in DRIVERS {
        let _ = world.run(&world.job(driver, &["exit", "0"])).exited(0);
    }
    let state = HostState::take();
    (world, state)
}

#[test]
fn killing_the_command_kills_the_task_and_the_shim() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let (world, before) = quiet_world();
    for driver in DRIVERS {
        let (running, _) = stubborn(&world, driver);
        kill(running.pid());
        assert_eq!(running.wait().signal, Some(9));
        assert_gone(driver, PROBE_PREFIX);
        assert_gone(driver, SHIM);
        assert_next_run_sweeps(&world, &before);
    }
}

#[test]
fn killing_the_shim_kills_the_task_and_the_command_says_so() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let (world, before) = quiet_world();
    for driver in DRIVERS {
        let (running, _) = stubborn(&world, driver);
        kill(shim());
        let outcome = running.wait();
        let outcome = outcome.exited(LOST);
        assert!(
            outcome.stderr.contains("shim"),
            "{driver}: the reason is not told: {outcome}"
        );
        assert_gone(driver, PROBE_PREFIX);
        assert_next_run_sweeps(&world, &before);
    }
}

#[test]
fn killing_both_kills_the_task() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let (world, before) = quiet_world();
    for driver in DRIVERS {
        let (running, _) = stubborn(&world, driver);
        let shim = shim();
        kill(running.pid());
        // The shim may have seen the command go and be gone already.
        let _ = rustix::process::kill_process(Pid::from_raw(shim).unwrap(), Signal::KILL);
        drop(running);
        assert_gone(driver, PROBE_PREFIX);
        assert_gone(driver, SHIM);
        assert_next_run_sweeps(&world, &before);
    }
}

#[test]
fn a_task_that_is_killed_from_outside_exits_137() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let (world, before) = quiet_world();
    for driver in DRIVERS {
        let (running, task) = stubborn(&world, driver);
        kill(task);
        let _ = running.wait().exited(137);
        before.assert_restored(PATIENCE);
    }
}
