//! wait(2): how a task ended is told exactly, whatever the end was.
use driver::Kind;
use suite::driven::KINDS;
use suite::need::require;
use suite::{Driven, World};

use crate::NEEDS;

/// Signals whose default action does not end a process (signal(7)): CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH.
const NOT_DEADLY: [i32; 8] = [17, 18, 19, 20, 21, 22, 23, 28];
/// The last real-time signal.
const LAST: i32 = 64;

/// Signals that write a core: QUIT, ILL, TRAP, ABRT, BUS, FPE, SEGV, XCPU, XFSZ, SYS.
const CORES: [i32; 10] = [3, 4, 5, 6, 7, 8, 11, 24, 25, 31];

const SEGV: i32 = 11;
const KILL: i32 = 9;
/// The shell that gives itself the signals has a handler for this one.
const INT: i32 = 2;

fn deadly() -> impl Iterator<Item = i32> {
    (1..=LAST).filter(|signal| !NOT_DEADLY.contains(signal))
}

/// A task that runs a shell script.
fn shell<'a>(world: &'a World, kind: Kind, script: &str) -> Driven<'a> {
    Driven::of(world, kind, "/bin/sh", &["-c", script])
}

#[test]
fn every_exit_code_is_the_tasks_own() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::new(&world, kind, &[]);
        for code in 0..=255 {
            let outcome = driven.args(&["exit", &code.to_string()]).run();
            assert_eq!(
                (outcome.code, outcome.signal),
                (Some(code), None),
                "{kind:?}"
            );
        }
    }
}

#[test]
fn every_deadly_signal_that_an_exec2_task_gives_itself_is_what_ended_it() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut driven = shell(&world, Kind::Exec2, "");
    each_signal(&mut driven);
}

#[test]
fn in_the_hosts_pid_namespace_every_deadly_signal_ends_an_exec_task_too() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut driven = shell(&world, Kind::Exec, "");
    driven.config("pid_mode", "host".into());
    each_signal(&mut driven);
}

#[track_caller]
fn each_signal(driven: &mut Driven<'_>) {
    for signal in deadly() {
        let outcome = driven.args(&["-c", &format!("kill -{signal} $$")]).run();
        assert_eq!(
            (outcome.code, outcome.signal),
            (Some(128 + signal), Some(signal))
        );
    }
}

/// pid_namespaces(7): a signal from inside reaches PID 1 only where it has a handler.
#[test]
fn as_pid_1_an_exec_task_does_not_die_of_a_signal_that_it_gives_itself() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut driven = shell(&world, Kind::Exec, "");
    for signal in deadly().filter(|signal| ![KILL, INT].contains(signal)) {
        let script = format!("kill -{signal} $$; exit 7");
        let outcome = driven.args(&["-c", &script]).run();
        assert_eq!((outcome.code, outcome.signal), (Some(7), None), "{signal}");
    }
}

/// abort(3) makes sure of its end by a fault, which no process survives.
#[test]
fn as_pid_1_an_exec_task_that_aborts_ends_by_a_fault_and_elsewhere_by_the_abort() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let exec = Driven::new(&world, Kind::Exec, &["abort"]).run();
    assert_eq!((exec.code, exec.signal), (Some(128 + SEGV), Some(SEGV)));
    let exec2 = Driven::new(&world, Kind::Exec2, &["abort"]).run();
    assert_eq!((exec2.code, exec2.signal), (Some(134), Some(6)));
}

#[test]
fn a_core_that_was_dumped_is_told_and_none_where_there_is_none() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    if core_limit() == Some(0) {
        // Nothing here could dump one: the hard limit of this process is 0.
        return;
    }
    for (limit, dumped) in [("unlimited", true), ("0", false)] {
        for signal in CORES {
            let script =
                format!("cd local && ulimit -c {limit} && kill -{signal} $$; echo survived");
            let driven = shell(&world, Kind::Exec2, &script);
            let live = driven.start();
            let end = live.task().wait().unwrap();
            assert_eq!(end.signal, signal);
            assert_eq!(
                end.core_dumped, dumped,
                "signal {signal}, ulimit -c {limit}"
            );
        }
    }
}

fn core_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Core).maximum
}

#[test]
fn what_a_task_leaves_running_ends_with_it_and_does_not_change_its_code() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let script = "sleep 600 & sleep 600 & exit 5";
        let driven = shell(&world, kind, script);
        let live = driven.start();
        let _ = live.task().wait().unwrap();
        let left = live.task().stats().map(|stats| stats.processes.len());
        assert_eq!(left.unwrap_or_default(), 0, "{kind:?}");
        assert_eq!(live.wait().code, Some(5), "{kind:?}");
    }
}
