//! signal(7): what a task starts with, and how it is stopped.
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use suite::need::require;
use suite::{Job, Running, World};

use crate::{DRIVERS, EXEC_NEEDS, NEEDS};

/// No signal.
const NONE: &str = "0000000000000000";

/// Nothing that should be at once takes this long.
const SOON: Duration = Duration::from_secs(5);

/// 128 + SIGINT, 128 + SIGKILL.
const INTERRUPTED: i32 = 130;
const KILLED: i32 = 137;

#[test]
fn nothing_is_blocked_or_ignored_whatever_the_caller_ignores() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let inner = world.command(&Job::new(driver, "/bin/cat", &["/proc/self/status"]));
        let mut shell = std::process::Command::new("/bin/sh");
        shell
            .args(["-c", "trap '' HUP USR1 PIPE; exec \"$0\" \"$@\""])
            .arg(inner.get_program())
            .args(inner.get_args());
        let status = Running::start(&mut shell).wait().exited(0).stdout;
        for set in ["SigBlk", "SigIgn", "SigCgt"] {
            let value = status
                .lines()
                .find_map(|line| line.strip_prefix(set)?.strip_prefix(":\t"));
            assert_eq!(value, Some(NONE), "{driver} {set}");
        }
    }
}

#[test]
fn a_polite_stop_lets_the_task_choose_its_code() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        for sent in [Signal::INT, Signal::TERM, Signal::HUP] {
            let running = world.start(&world.job(driver, &["catch", "INT", "42"]));
            let _ = running.wait_for_stdout(crate::CATCHING);
            running.signal(sent);
            let _ = running.wait().exited(42);
        }
    }
}

#[test]
fn kill_signal_is_the_signal_that_is_sent() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let running = world.start(
            &world
                .job(driver, &["catch", "USR1", "43"])
                .task("kill_signal = \"SIGUSR1\""),
        );
        let _ = running.wait_for_stdout(crate::CATCHING);
        running.signal(Signal::TERM);
        let _ = running.wait().exited(43);
    }
}

#[test]
fn a_program_that_handles_no_signal_stops_at_once_also_as_pid_1() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let running = world.start(
            &Job::new(
                driver,
                "/bin/sh",
                &["-c", "echo ready; exec /bin/sleep 600"],
            )
            .task("kill_timeout = \"25s\""),
        );
        let _ = running.wait_for_stdout("ready");
        // The shell has said so before it becomes sleep.
        std::thread::sleep(Duration::from_millis(200));
        let begin = Instant::now();
        running.signal(Signal::INT);
        let _ = running.wait().exited(INTERRUPTED);
        assert!(begin.elapsed() < SOON, "{driver}: {:?}", begin.elapsed());
    }
}

#[test]
fn a_task_that_ignores_the_signal_is_killed_when_its_time_is_over() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let running = world.start(
            &world
                .job(driver, &["ignore", "INT"])
                .task("kill_timeout = \"1s\""),
        );
        let _ = running.wait_for_stdout(crate::CATCHING);
        let begin = Instant::now();
        running.signal(Signal::INT);
        let _ = running.wait().exited(KILLED);
        let took = begin.elapsed();
        assert!(
            took >= Duration::from_secs(1) && took < SOON,
            "{driver}: {took:?}"
        );
    }
}

#[test]
fn the_second_signal_kills_at_once() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let running = world.start(
            &world
                .job(driver, &["ignore", "INT"])
                .task("kill_timeout = \"25s\""),
        );
        let _ = running.wait_for_stdout(crate::CATCHING);
        let begin = Instant::now();
        running.signal(Signal::INT);
        std::thread::sleep(Duration::from_millis(300));
        running.signal(Signal::INT);
        let _ = running.wait().exited(KILLED);
        assert!(begin.elapsed() < SOON, "{driver}: {:?}", begin.elapsed());
    }
}

#[test]
fn a_task_that_dies_of_a_signal_exits_128_and_the_signal() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    // As PID 1 of `exec` only an unhandled fault or a handler of its own could end it; under exec2 it has an init.
    for (signal, code) in [("KILL", 137), ("TERM", 143), ("ABRT", 134)] {
        let _ = world
            .run(&world.job("exec2", &["raise", signal]))
            .exited(code);
    }
}

#[test]
fn a_task_cannot_signal_the_host() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let own = std::process::id().to_string();
    for driver in DRIVERS {
        let outcome = world
            .run(&world.job(driver, &["kill", &own, "0"]).user("root"))
            .exited(0);
        assert_eq!(outcome.line()["ok"], json!(false), "{driver}: {outcome}");
    }
}
