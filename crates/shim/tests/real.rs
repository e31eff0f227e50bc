//! A process with its shim, for real: needs root and a cgroup hierarchy.
#![deny(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests; a skipped one says so"
)]

mod world;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use sandbox::spec::*;
use shim::{End, Enter, Found, Lifetime, SpawnError, Streams};

use world::{BOTH, World};

#[test]
fn a_process_runs_and_its_code_is_recorded() {
    for init in BOTH {
        let Some(mut world) = World::new() else {
            return;
        };
        let spec = world.spec(
            init,
            "/bin/sh",
            &["-c", "echo pid $$ uid $(id -u); sleep 0.2; exit 7"],
        );
        let (shim, running) = world.spawn(&spec).unwrap();
        assert!(
            running.pid > 0 && running.start_time > 0 && running.shim_pid > 0,
            "{running:?}"
        );
        let end = shim.wait().unwrap().unwrap();
        assert_eq!(end.end, End::Code(7), "{init:?}");
        let pid = if init == Init::Process { 1 } else { 2 };
        assert_eq!(world.output(), format!("pid {pid} uid 65534\n"));
        assert!(
            matches!(shim::attach(&world.state()).unwrap(), Found::Ended(status) if status == end)
        );
    }
}

#[test]
fn a_signal_is_recorded_as_a_signal() {
    let Some(world) = World::new() else { return };
    let spec = world.spec(Init::Ours, "/bin/sh", &["-c", "kill -USR1 $$"]);
    let (shim, _) = world.spawn(&spec).unwrap();
    assert_eq!(
        shim.wait().unwrap().unwrap().end,
        End::Signal(libc::SIGUSR1)
    );
}

#[test]
fn a_stop_is_prompt_when_pid_1_cannot_hear() {
    for init in BOTH {
        let Some(world) = World::new() else { return };
        let (shim, _) = world
            .spawn(&world.spec(init, "/bin/sleep", &["100"]))
            .unwrap();
        let start = Instant::now();
        shim.stop(libc::SIGINT, Duration::from_secs(20)).unwrap();
        assert!(start.elapsed() < Duration::from_secs(2));
        let end = shim.wait().unwrap().unwrap();
        assert_eq!(end.stopped_by, Some(libc::SIGINT));
        assert_eq!(
            (end.deaf, end.forced),
            (init == Init::Process, init == Init::Process)
        );
        assert_eq!(world.cgroup.processes().unwrap(), []);
    }
}

#[test]
fn a_stop_is_hard_when_patience_is_over() {
    for init in BOTH {
        let Some(mut world) = World::new() else {
            return;
        };
        let script = "trap '' INT; (setsid sleep 100 &); echo up; while :; do sleep 1; done";
        let (shim, _) = world
            .spawn(&world.spec(init, "/bin/sh", &["-c", script]))
            .unwrap();
        while !world.output().contains("up") {
            std::thread::sleep(Duration::from_millis(5));
        }
        shim.stop(libc::SIGINT, Duration::from_millis(300)).unwrap();
        let end = shim.wait().unwrap().unwrap();
        assert!(
            end.forced && !end.deaf && end.end == End::Signal(9),
            "{end:?}"
        );
        assert_eq!(world.cgroup.processes().unwrap(), []);
    }
}

#[test]
fn a_foreground_process_ends_with_its_starter_and_a_detached_one_does_not() {
    for (lifetime, lives) in [(Lifetime::Foreground, false), (Lifetime::Detached, true)] {
        let Some(world) = World::new() else { return };
        let spec = world.spec(Init::Ours, "/bin/sleep", &["100"]);
        let (shim, _) = world.spawn_as(&spec, lifetime).unwrap();
        drop(shim);
        std::thread::sleep(Duration::from_millis(200));
        let found = shim::attach(&world.state()).unwrap();
        assert_eq!(matches!(found, Found::Alive(..)), lives, "{found:?}");
        if let Found::Alive(shim, _) = found {
            shim.stop(9, Duration::ZERO).unwrap();
        }
    }
}

#[test]
fn the_death_of_the_shim_is_the_death_of_the_process() {
    for init in BOTH {
        let Some(world) = World::new() else { return };
        let (shim, running) = world
            .spawn(&world.spec(init, "/bin/sleep", &["100"]))
            .unwrap();
        let pid = rustix::process::Pid::from_raw(running.shim_pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        assert_eq!(shim.wait().unwrap(), None);
        assert!(matches!(shim::attach(&world.state()).unwrap(), Found::Lost));
        let start = Instant::now();
        while !world.cgroup.processes().unwrap().is_empty() {
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "the process survived its shim"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn an_entered_command_is_in_the_same_place() {
    for init in BOTH {
        let Some(world) = World::new() else { return };
        let (shim, _) = world
            .spawn(&world.spec(init, "/bin/sleep", &["100"]))
            .unwrap();
        let env = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        let script = "id -u; readlink /proc/self/ns/mnt; readlink /proc/1/ns/mnt; ls /proc | grep -c '^[0-9]'; cat; exit 43";
        let argv = ["sh", "-c", script].map(str::to_owned);
        let mut entered = shim
            .enter(&Enter {
                argv: &argv,
                env: &env,
                cwd: Path::new("/"),
                tty: false,
            })
            .unwrap();
        let Some(Streams::Pipes { stdin, stdout, .. }) = entered.streams.take() else {
            panic!("pipes")
        };
        rustix::io::write(&stdin, b"typed").unwrap();
        drop(stdin);
        let mut text = String::new();
        fs::File::from(stdout).read_to_string(&mut text).unwrap();
        assert_eq!(entered.wait().unwrap(), End::Code(43));
        assert!(
            text.starts_with("65534\n") && text.ends_with("typed"),
            "{init:?}: {text}"
        );
        let missing = ["no-such-thing".to_owned()];
        let error = shim
            .enter(&Enter {
                argv: &missing,
                env: &env,
                cwd: Path::new("/"),
                tty: false,
            })
            .unwrap_err();
        assert!(matches!(error, shim::Error::NotFound(_)), "{error}");
        shim.stop(9, Duration::ZERO).unwrap();
    }
}

#[test]
fn an_entered_command_gets_a_terminal_of_ours() {
    for init in BOTH {
        let Some(world) = World::new() else { return };
        let (shim, _) = world
            .spawn(&world.spec(init, "/bin/sleep", &["100"]))
            .unwrap();
        let env = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        let argv = ["sh", "-c", "test -t 0 && echo terminal; stty size; exit 5"].map(str::to_owned);
        let mut entered = shim
            .enter(&Enter {
                argv: &argv,
                env: &env,
                cwd: Path::new("/"),
                tty: true,
            })
            .unwrap();
        let Some(Streams::Terminal(master)) = entered.streams.take() else {
            panic!("terminal")
        };
        let mut text = vec![];
        // EIO is the end of a terminal (pty(7)).
        let _ = fs::File::from(master).read_to_end(&mut text);
        assert_eq!(entered.wait().unwrap(), End::Code(5));
        assert!(
            String::from_utf8_lossy(&text).starts_with("terminal\r\n"),
            "{init:?} {:?}",
            String::from_utf8_lossy(&text)
        );
        shim.stop(9, Duration::ZERO).unwrap();
    }
}

#[test]
fn a_dropped_command_is_killed() {
    for init in BOTH {
        let Some(world) = World::new() else { return };
        let (shim, _) = world
            .spawn(&world.spec(init, "/bin/sleep", &["100"]))
            .unwrap();
        let before = world.cgroup.processes().unwrap().len();
        let env = BTreeMap::new();
        let argv = ["/bin/sleep".to_owned(), "50".to_owned()];
        let entered = shim
            .enter(&Enter {
                argv: &argv,
                env: &env,
                cwd: Path::new("/"),
                tty: false,
            })
            .unwrap();
        assert_eq!(world.cgroup.processes().unwrap().len(), before + 1);
        drop(entered);
        let start = Instant::now();
        while world.cgroup.processes().unwrap().len() > before {
            assert!(
                start.elapsed() < Duration::from_secs(3),
                "{init:?}: the command survived"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        shim.stop(9, Duration::ZERO).unwrap();
    }
}

#[test]
fn failures_name_what_failed_and_leave_nothing() {
    for init in BOTH {
        let Some(world) = World::new() else { return };
        let missing = world.spec(init, "/bin/no-such-thing", &[]);
        assert!(matches!(
            world.spawn(&missing),
            Err(SpawnError::NotFound(_))
        ));
        let directory = world.spec(init, "/usr/bin", &[]);
        assert!(matches!(
            world.spawn(&directory),
            Err(SpawnError::NotExecutable { path, .. }) if path == Path::new("/usr/bin")
        ));
        let mut bad = world.spec(init, "/bin/true", &[]);
        bad.command.cwd = "/no/such/directory".into();
        let error = world.spawn(&bad).unwrap_err();
        assert!(
            matches!(&error, SpawnError::Step { step, .. } if step.contains("/no/such/directory")),
            "{error:?}"
        );
        assert!(!world.state().exists());
        assert_eq!(world.cgroup.processes().unwrap(), []);
    }
}

#[test]
fn what_is_written_outlives_a_restart_and_never_reaches_the_host() {
    let Some(mut world) = World::new() else {
        return;
    };
    let name = format!("encamp-{}", std::process::id());
    let script = format!("cat /etc/{name}; echo again > /etc/{name} && echo x > /new && ls /new");
    let mut spec = world.spec(Init::Process, "/bin/sh", &["-c", &script]);
    spec.identity = Identity {
        uid: 0,
        gid: 0,
        groups: vec![],
    };
    for expected in ["/new\n", "again\n/new\n"] {
        let (shim, running) = world.spawn(&spec).unwrap();
        assert_eq!(running.refusals, [] as [&str; 0]);
        assert_eq!(shim.wait().unwrap().unwrap().end, End::Code(0));
        assert_eq!(world.output(), expected);
        shim::forget(&world.state()).unwrap();
    }
    assert!(!Path::new("/etc").join(name).exists() && !Path::new("/new").exists());
}
