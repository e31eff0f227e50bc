//! signal(7): what a task starts with, and how it is stopped.
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use suite::driven::KINDS;
use suite::need::require;
use suite::run::{PATIENCE, patience};
use suite::{Driven, Job, Running, World};

use crate::{DRIVERS, EXEC_NEEDS, NEEDS};

/// No signal.
const NONE: &str = "0000000000000000";

/// Nothing that should be at once takes this long, and on no machine as long as the `kill_timeout` of 25 s that it would take otherwise.
fn soon() -> Duration {
    patience(Duration::from_secs(5)).min(Duration::from_secs(20))
}

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
        let running =
            world.start(&Job::new(driver, "/bin/sleep", &["600"]).task("kill_timeout = \"25s\""));
        // Told once the command is executed: no handler of another program is there any more.
        let _ = running.wait_for_stderr("started, pid");
        let begin = Instant::now();
        running.signal(Signal::INT);
        let _ = running.wait().exited(INTERRUPTED);
        assert!(begin.elapsed() < soon(), "{driver}: {:?}", begin.elapsed());
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
            took >= Duration::from_secs(1) && took < soon(),
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
        // Two that nobody has taken yet are one (signal(7)).
        let _ = running.wait_for_stderr("stopping:");
        running.signal(Signal::INT);
        let _ = running.wait().exited(KILLED);
        assert!(begin.elapsed() < soon(), "{driver}: {:?}", begin.elapsed());
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

/// Signals that a program can catch (signal(7)), by Nomad's names; CHLD is left out, shells and runtimes use it themselves.
const CATCHABLE: [(&str, i32); 24] = [
    ("SIGHUP", 1),
    ("SIGINT", 2),
    ("SIGQUIT", 3),
    ("SIGTRAP", 5),
    ("SIGABRT", 6),
    ("SIGUSR1", 10),
    ("SIGUSR2", 12),
    ("SIGPIPE", 13),
    ("SIGALRM", 14),
    ("SIGTERM", 15),
    ("SIGCONT", 18),
    ("SIGTSTP", 20),
    ("SIGTTIN", 21),
    ("SIGTTOU", 22),
    ("SIGXCPU", 24),
    ("SIGXFSZ", 25),
    ("SIGPROF", 27),
    ("SIGWINCH", 28),
    ("SIGIO", 29),
    ("SIGSYS", 31),
    ("sigusr1", 10),
    ("SIGPWR", 30),
    ("SIGURG", 23),
    ("SIGVTALRM", 26),
];

#[test]
fn every_signal_that_can_be_caught_reaches_the_task() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::new(&world, kind, &[]);
        for (name, number) in CATCHABLE {
            driven.args(&["catch", &number.to_string(), "45"]);
            let live = driven.start();
            let _ = live.wait_for_stdout(crate::CATCHING);
            live.task().signal(name).unwrap();
            assert_eq!(live.wait().code, Some(45), "{kind:?} {name}");
        }
    }
}

#[test]
fn a_signal_reaches_the_task_and_nothing_else() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let script = "trap 'echo got' USR1; sleep 600 & echo ready; while :; do wait; done";
    for kind in KINDS {
        let driven = Driven::of(&world, kind, "/bin/sh", &["-c", script]);
        let live = driven.start();
        let _ = live.wait_for_stdout("ready");
        let before = live.task().stats().unwrap().pids;
        live.task().signal("SIGUSR1").unwrap();
        let _ = live.wait_for_stdout("got");
        assert_eq!(live.task().stats().unwrap().pids, before, "{kind:?}");
        let _ = live.stop();
    }
}

#[test]
fn a_task_is_stopped_and_goes_on_again() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let script = "trap 'echo again' USR1; echo ready; while :; do sleep 0.05; done";
        let driven = Driven::of(&world, kind, "/bin/sh", &["-c", script]);
        let live = driven.start();
        let _ = live.wait_for_stdout("ready");
        live.task().signal("SIGSTOP").unwrap();
        wait_for_state(live.pid(), 'T');
        live.task().signal("SIGUSR1").unwrap();
        live.task().signal("SIGCONT").unwrap();
        let _ = live.wait_for_stdout("again");
        let _ = live.stop();
    }
}

/// The letter behind the name in `/proc/<pid>/stat`.
#[track_caller]
fn wait_for_state(pid: i32, wanted: char) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let state = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.trim_start().chars().next());
        if state == Some(wanted) {
            return;
        }
        assert!(Instant::now() < deadline, "{stat}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_unknown_signal_is_an_error_and_is_not_sent() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let driven = Driven::new(&world, kind, &["sleep", "600"]);
        let live = driven.start();
        for name in ["SIGNOTHING", "99", "SIG"] {
            let error = live.task().signal(name).unwrap_err();
            assert!(error.to_string().contains("signal"), "{name}: {error}");
        }
        assert!(live.task().inspect().unwrap().result.is_none());
        let _ = live.stop();
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
