//! Input and terminals: `encamp run -i`, `-t`, `encamp exec -it`, at a pty that the test types at.
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::running::job;
use crate::world::{Ended, World, until, world};

const WAIT: &str = "while :; do sleep 0.1; done";

/// A terminal with `encamp` at one end and the test at the other.
struct Terminal {
    near: File,
    far: OwnedFd,
    shown: Arc<Mutex<String>>,
}

impl Terminal {
    fn new() -> Terminal {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&near).unwrap();
        unlockpt(&near).unwrap();
        let name = ptsname(&near, Vec::new()).unwrap();
        let far = rustix::fs::open(
            name,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        );
        let terminal = Terminal {
            near: near.into(),
            far: far.unwrap(),
            shown: Arc::default(),
        };
        terminal.resize(31, 97);
        let (mut near, shown) = (
            terminal.near.try_clone().unwrap(),
            Arc::clone(&terminal.shown),
        );
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = near.read(&mut buffer) {
                *shown.lock().unwrap() += &String::from_utf8_lossy(&buffer[..count]);
            }
        });
        terminal
    }

    fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.near, size).unwrap();
    }

    /// A command that has this terminal for all three of its descriptors.
    fn start(&self, world: &World, arguments: &[&str]) -> Child {
        let end = || Stdio::from(self.far.try_clone().unwrap());
        let mut command: Command = world.encamp(arguments);
        command.env("TERM", "vt100");
        command
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap()
    }

    fn types(&self, keys: &str) {
        (&self.near).write_all(keys.as_bytes()).unwrap();
    }

    #[track_caller]
    fn shows(&self, words: &str) {
        until(|| self.shown.lock().unwrap().contains(words));
    }

    fn is_cooked(&self) -> bool {
        let modes = tcgetattr(&self.far).unwrap().local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }
}

fn code(mut child: Child) -> Option<i32> {
    child.wait().unwrap().code()
}

#[test]
fn a_task_reads_what_is_piped_to_the_run() {
    let Some(world) = world() else { return };
    for driver in ["exec", "exec2"] {
        let flags = [
            "run",
            "-q",
            "--rm",
            "-i",
            "--driver",
            driver,
            "--",
            "sh",
            "-c",
            "wc -c; cat /dev/stdin; exit 5",
        ];
        let mut command = world.encamp(&flags);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(&vec![b'x'; 500_000])
            .unwrap();
        let ended = Ended::of(child.wait_with_output().unwrap()).exited(5);
        assert_eq!(ended.stdout, "500000\n");
    }
    let ended = world
        .run(&["run", "-q", "--rm", "--", "wc", "-c"])
        .exited(0);
    assert_eq!(ended.stdout, "0\n");
}

#[test]
fn a_task_can_have_a_terminal_and_is_typed_at() {
    let Some(world) = world() else { return };
    for driver in ["exec", "exec2"] {
        let terminal = Terminal::new();
        let script = "stty size; echo $TERM; trap 'echo size $(stty size)' WINCH; trap 'exit 6' INT; echo ready; \
                      while :; do sleep 0.1; done";
        let child = terminal.start(
            &world,
            &[
                "run", "--rm", "-it", "--driver", driver, "--", "sh", "-c", script,
            ],
        );
        terminal.shows("31 97\r\nvt100\r\nready\r\n");
        assert!(!terminal.is_cooked());
        terminal.resize(40, 120);
        rustix::process::kill_process(
            rustix::process::Pid::from_child(&child),
            rustix::process::Signal::WINCH,
        )
        .unwrap();
        terminal.shows("size 40 120");
        terminal.types("\x03");
        assert_eq!(code(child), Some(6), "{driver}");
        assert!(terminal.is_cooked());
        terminal.shows("exited 6");
    }
}

#[test]
fn a_terminal_is_put_back_however_the_run_ends() {
    let Some(world) = world() else { return };
    for end in ["stop", "signal"] {
        let terminal = Terminal::new();
        let child = terminal.start(
            &world,
            &[
                "run",
                "--rm",
                "-it",
                "--name",
                "t",
                "--",
                "sh",
                "-c",
                "echo ready; exec sleep 300",
            ],
        );
        terminal.shows("ready\r\n");
        match end {
            "stop" => drop(world.run(&["stop", "t"]).exited(0)),
            _ => rustix::process::kill_process(
                rustix::process::Pid::from_child(&child),
                rustix::process::Signal::TERM,
            )
            .unwrap(),
        }
        assert_eq!(code(child), Some(130));
        assert!(terminal.is_cooked());
    }
}

#[test]
fn a_job_with_more_tasks_than_one_has_no_input() {
    let Some(world) = world() else { return };
    let tasks = [("one", "exec", WAIT, ""), ("two", "exec", WAIT, "")];
    let file = world.file(&job("api", 1, &tasks));
    for flag in ["-i", "-t"] {
        world
            .run(&["run", flag, file.to_str().unwrap()])
            .exited(1)
            .says("for a job with one task; this one has 2");
    }
    assert_eq!(world.left(), [""; 0]);
}

#[test]
fn a_session_beside_a_task_has_a_terminal_and_leaves_it_as_it_was() {
    let Some(world) = world() else { return };
    let _run = world.start(&job("api", 1, &[("t", "exec2", WAIT, "")]));
    let terminal = Terminal::new();
    let child = terminal.start(&world, &["exec", "-it", "t", "--", "sh"]);
    terminal.types("stty size; tty; echo $TERM-$((6*7))\r");
    terminal.shows("31 97\r\n/dev/pts/");
    terminal.shows("vt100-42");
    assert!(!terminal.is_cooked());
    terminal
        .types("exec sh -c 'trap \"exit 11\" INT; echo set$((1)); while :; do sleep 0.1; done'\r");
    terminal.shows("set1\r\n");
    terminal.types("\x03");
    assert_eq!(code(child), Some(11));
    assert!(terminal.is_cooked());
}

#[test]
fn the_escape_character_leaves_a_session_and_signals_put_the_terminal_back() {
    let Some(world) = world() else { return };
    let _run = world.start(&job("api", 1, &[("t", "exec", WAIT, "")]));
    let terminal = Terminal::new();
    let child = terminal.start(&world, &["exec", "-it", "t", "cat"]);
    terminal.types("hello\r");
    terminal.shows("hello\r\nhello\r\n");
    terminal.types("~.");
    assert_eq!(code(child), Some(0));
    assert!(terminal.is_cooked());
    let child = terminal.start(&world, &["exec", "-it", "t", "sh", "-c", "echo two; cat"]);
    terminal.shows("two\r\n");
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&child),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    assert_eq!(code(child), Some(143));
    assert!(terminal.is_cooked());
}
