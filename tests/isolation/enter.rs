//! Commands that run beside a task (`alloc exec`): in the same namespaces, root, domain, cgroup, as the same user, with the same
//! capabilities and filter; with a terminal and without.
use std::fs::File;
use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use driver::{Kind, Session};
use serde_json::Value;
use shim::Streams;
use suite::driven::{KINDS, Live, chain};
use suite::need::require;
use suite::run::PATIENCE;
use suite::{Driven, World};

use crate::NEEDS;

/// What must be as in the task itself.
const SAME: [&str; 14] = [
    "uid",
    "gid",
    "groups",
    "capabilities",
    "securebits",
    "no_new_privs",
    "seccomp",
    "seccomp_filters",
    "umask",
    "nice",
    "namespaces",
    "cgroup",
    "hostname",
    "limits",
];

const EACCES: i64 = 13;

/// A task that stays, and says first what it sees.
fn staying<'a>(world: &'a World, kind: Kind) -> Driven<'a> {
    Driven::new(world, kind, &["facts", ",", "sleep", "600"])
}

fn command(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// All that a command prints, however much.
#[track_caller]
fn printed(live: &Live<'_>, words: &[&str]) -> String {
    let mut session = live
        .task()
        .exec_streaming(&command(words), false)
        .unwrap_or_else(|error| panic!("{words:?}: {}", chain(&error)));
    let Some(Streams::Pipes { stdout, .. }) = session.streams.take() else {
        panic!("three pipes")
    };
    let mut text = String::new();
    File::from(stdout).read_to_string(&mut text).unwrap();
    let end = session.wait().unwrap();
    assert_eq!(end.exit_code, 0, "{words:?}: {text}");
    text
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn an_entered_command_is_what_the_task_is() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        for user in ["", "root"] {
            let mut driven = staying(&world, kind);
            if !user.is_empty() {
                driven.task.user = user.to_owned();
            }
            let live = driven.start();
            let own = live.wait_for_stdout("\n");
            let own = json(own.lines().next().unwrap());
            let entered = json(&printed(&live, &[world.probe()]));
            for fact in SAME {
                assert_eq!(entered[fact], own[fact], "{kind:?} {user:?} {fact}");
            }
            let _ = live.stop();
        }
    }
}

#[test]
fn it_sees_the_tasks_root_and_is_refused_what_the_task_is_refused() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let canary = world.canary();
    for kind in KINDS {
        let driven = staying(&world, kind);
        let live = driven.start();
        let list = |path: &str| json(&printed(&live, &[world.probe(), "list", path]));
        let read = |path: &str| json(&printed(&live, &[world.probe(), "read", path]));
        let write = json(&printed(
            &live,
            &[world.probe(), "write", canary.path(), "x"],
        ));
        match kind {
            Kind::Exec => {
                // Its thirteen capabilities let it write to its own layer over the host's file.
                assert_eq!(write["ok"], true, "{write}");
                let names = list("/")["names"].to_string();
                assert!(
                    names.contains("\"local\"") && !names.contains("\"root\""),
                    "{names}"
                );
            }
            Kind::Exec2 => {
                assert_eq!(write["ok"], false, "{write}");
                assert_eq!(read("/etc/passwd")["errno"], EACCES);
            }
        }
        let _ = live.stop();
    }
    canary.assert_untouched();
}

#[test]
fn it_and_the_task_are_in_one_domain_and_may_signal_each_other() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let driven = Driven::of(
        &world,
        Kind::Exec2,
        "/bin/sh",
        &[
            "-c",
            "trap 'echo heard; exit 9' USR1; echo $$; while :; do sleep 0.05; done",
        ],
    );
    let live = driven.start();
    let pid = live.wait_for_stdout("\n");
    let script = format!("kill -USR1 {}", pid.trim());
    let outcome = live.enter(&["/bin/sh", "-c", &script]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let ended = live.wait();
    assert_eq!(ended.code, Some(9), "{ended}");
}

#[test]
fn codes_and_signals_of_entered_commands_come_back_exactly() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let driven = staying(&world, kind);
        let live = driven.start();
        for code in [0, 1, 43, 126, 255] {
            let outcome = live.enter(&[world.probe(), "exit", &code.to_string()]);
            assert_eq!(outcome.code, Some(code), "{kind:?}");
        }
        for signal in [1, 9, 15] {
            let script = format!("kill -{signal} $$");
            let outcome = live.enter(&["/bin/sh", "-c", &script]);
            assert_eq!(
                (outcome.code, outcome.signal),
                (Some(128 + signal), Some(signal)),
                "{kind:?}"
            );
        }
        assert!(live.task().inspect().unwrap().result.is_none());
        let _ = live.stop();
    }
}

#[test]
fn a_command_that_is_not_there_or_may_not_be_run_is_an_error_and_the_task_goes_on() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let driven = staying(&world, kind);
        let live = driven.start();
        for words in [
            &["/no/such/command"][..],
            &["no-such-command"],
            &["/etc"],
            &[""],
            &[],
        ] {
            let error = live.task().exec(&command(words), None).unwrap_err();
            let told = chain(&error);
            let wanted = words.first().copied().filter(|word| !word.is_empty());
            assert!(
                told.contains(wanted.unwrap_or("error cmd must have at least one value")),
                "{kind:?} {words:?}: {told}"
            );
        }
        assert!(live.task().inspect().unwrap().result.is_none());
        let _ = live.stop();
    }
}

#[test]
fn the_end_of_its_time_kills_the_command_and_nothing_else() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let driven = staying(&world, kind);
        let live = driven.start();
        let limit = Some(Duration::from_millis(300));
        let words = command(&["/bin/sh", "-c", "sleep 600 & sleep 600"]);
        let error = live.task().exec(&words, limit).unwrap_err();
        assert!(matches!(error, driver::Error::Timeout(_)), "{error}");
        assert!(live.task().inspect().unwrap().result.is_none());
        let _ = live.stop();
    }
}

#[test]
fn who_hangs_up_ends_the_command() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        for tty in [false, true] {
            let driven = staying(&world, kind);
            let live = driven.start();
            let before = processes(&live);
            let session = live
                .task()
                .exec_streaming(&command(&[world.probe(), "sleep", "600"]), tty)
                .unwrap();
            wait_until(|| processes(&live) == before + 1);
            drop(session);
            wait_until(|| processes(&live) == before);
            let _ = live.stop();
        }
    }
}

fn processes(live: &Live<'_>) -> u64 {
    live.task().stats().unwrap().pids.unwrap()
}

#[track_caller]
fn wait_until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it did not come to that");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A command with a terminal, and the terminal's near end.
fn on_terminal(live: &Live<'_>, script: &str) -> (Session, File) {
    let words = command(&["/bin/sh", "-c", script]);
    let mut session = live.task().exec_streaming(&words, true).unwrap();
    let Some(Streams::Terminal(master)) = session.streams.take() else {
        panic!("a terminal")
    };
    (session, File::from(master))
}

/// Until the far end is closed, which a pty tells as EIO.
fn read_all(master: &mut File) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_terminal_is_a_terminal_of_the_size_that_was_set_last() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let driven = staying(&world, kind);
        let live = driven.start();
        let script =
            "read go; test -t 0 && test -t 1 && test -t 2 && echo terminal; stty size; exit 43";
        let (mut session, mut master) = on_terminal(&live, script);
        session.resize(30, 40).unwrap();
        session.resize(100, 90).unwrap();
        master.write_all(b"go\n").unwrap();
        let text = read_all(&mut master);
        assert!(
            text.contains("terminal\r\n100 90\r\n"),
            "{kind:?}: {text:?}"
        );
        assert_eq!(session.wait().unwrap().exit_code, 43);
        let _ = live.stop();
    }
}

#[test]
fn a_terminal_controls_its_session_so_that_ctrl_c_reaches_the_command_alone() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let driven = staying(&world, kind);
        let live = driven.start();
        let script =
            "trap 'echo interrupted; exit 44' INT; echo ready; while :; do sleep 0.05; done";
        let (mut session, mut master) = on_terminal(&live, script);
        let mut so_far = Vec::new();
        let mut byte = [0];
        while !String::from_utf8_lossy(&so_far).contains("ready") {
            master.read_exact(&mut byte).unwrap();
            so_far.push(byte[0]);
        }
        master.write_all(b"\x03").unwrap();
        let rest = read_all(&mut master);
        assert!(rest.contains("interrupted"), "{kind:?}: {rest:?}");
        assert_eq!(session.wait().unwrap().exit_code, 44);
        assert!(live.task().inspect().unwrap().result.is_none());
        let _ = live.stop();
    }
}

#[test]
fn without_a_terminal_there_is_none_and_its_size_cannot_be_set() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let driven = staying(&world, kind);
        let live = driven.start();
        let outcome = live.enter(&["/bin/sh", "-c", "stty size"]);
        assert_eq!(outcome.code, Some(1), "{outcome}");
        assert!(
            outcome.stdout.contains("Inappropriate ioctl for device"),
            "{outcome}"
        );
        let session = live
            .task()
            .exec_streaming(&command(&[world.probe(), "sleep", "600"]), false)
            .unwrap();
        let error = session.resize(1, 1).unwrap_err();
        let told = "attempted to resize a non-tty session";
        assert!(chain(&error).contains(told), "{}", chain(&error));
        drop(session);
        let _ = live.stop();
    }
}

#[test]
fn standard_input_arrives_and_its_end_too() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let driven = staying(&world, kind);
        let live = driven.start();
        let mut session = live
            .task()
            .exec_streaming(&command(&["/bin/cat"]), false)
            .unwrap();
        let Some(Streams::Pipes { stdin, stdout, .. }) = session.streams.take() else {
            panic!("three pipes")
        };
        let mut stdin = File::from(stdin);
        stdin.write_all(b"hello from outside\n").unwrap();
        drop(stdin);
        let mut text = String::new();
        File::from(stdout).read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello from outside\n", "{kind:?}");
        assert_eq!(session.wait().unwrap().exit_code, 0);
        let _ = live.stop();
    }
}

#[test]
fn many_at_once_each_get_their_own_answer() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let driven = staying(&world, kind);
        let live = driven.start();
        thread::scope(|scope| {
            for code in 0..20 {
                let (live, world) = (&live, &world);
                scope.spawn(move || {
                    let outcome = live.enter(&[world.probe(), "exit", &code.to_string()]);
                    assert_eq!(outcome.code, Some(code), "{kind:?}");
                });
            }
        });
        let _ = live.stop();
    }
}

#[test]
fn nothing_enters_a_task_that_has_ended() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let driven = Driven::new(&world, kind, &["exit", "3"]);
        let live = driven.start();
        let _ = live.task().wait().unwrap();
        let words = command(&[world.probe()]);
        let error = live.task().exec(&words, None).unwrap_err();
        assert!(
            chain(&error).contains("the task is not running"),
            "{}",
            chain(&error)
        );
    }
}
