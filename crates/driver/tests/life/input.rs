//! Descriptor 0: nothing, a pipe, or a terminal of the task's own.
use std::io::Write;
use std::os::fd::AsFd;

use driver::task_config::Stdin;

use super::*;

fn given(kind: Kind, name: &str, script: &str, stdin: Stdin) -> World {
    let mut world = world(kind, &format!("{name}-{}", kind.name()), &sh(script));
    world.task.stdin = stdin;
    world.task.stderr_path = "/dev/null".into();
    world
}

/// Everything that comes out of a terminal until the task has ended.
fn printed(task: &Task, terminal: fs::File) -> String {
    let reader = std::thread::spawn(move || {
        let mut terminal = terminal;
        let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
        // EIO: nobody holds the other end any more.
        while let Ok(count @ 1..) = terminal.read(&mut buffer) {
            text.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8(text).unwrap()
    });
    task.wait().unwrap();
    reader.join().unwrap()
}

#[test]
fn without_input_a_task_reads_nothing() {
    both("null", &sh("cat; readlink /proc/self/fd/0"), |world| {
        assert_eq!(world.run().1, "/dev/null\n");
    });
}

#[test]
fn a_task_reads_its_pipe_to_its_end_also_by_path() {
    if !privileged() {
        return;
    }
    for kind in [Kind::Exec, Kind::Exec2] {
        let script = "read one; sleep 0.3; echo got $one; cat /dev/stdin";
        let world = given(kind, "pipe", script, Stdin::Pipe);
        let stdout = reader(&world.task.stdout_path);
        let task = world.start().unwrap();
        let mut input = fs::File::from(task.take_input().unwrap());
        input.write_all(b"first\nsecond\n").unwrap();
        drop(input);
        assert!(task.take_input().is_none());
        assert_eq!(task.wait().unwrap().exit_code, 0, "{kind:?}");
        task.destroy(false).unwrap();
        assert_eq!(stdout.join().unwrap(), "got first\nsecond\n", "{kind:?}");
    }
}

#[test]
fn a_task_controls_its_terminal_and_owns_it() {
    if !privileged() {
        return;
    }
    let size = Stdin::Terminal {
        rows: 31,
        columns: 97,
    };
    let script = "tty; stty size; test -O $(tty) && echo mine; echo err >&2; echo by-name > /dev/tty; kill -INT $$; sleep 5";
    for kind in [Kind::Exec, Kind::Exec2] {
        let world = given(
            kind,
            "terminal",
            &format!("trap 'exit 9' INT; {script}"),
            size,
        );
        let task = world.start().unwrap();
        let terminal = fs::File::from(task.take_input().unwrap());
        let text = printed(&task, terminal);
        assert_eq!(task.wait().unwrap().exit_code, 9, "{kind:?}: {text}");
        task.destroy(false).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("/dev/pts/"), "{kind:?}: {text}");
        assert_eq!(lines[1..4], ["31 97", "mine", "err"], "{kind:?}");
        // /dev/tty is a path like any other: under exec2 it is there when it is unveiled.
        assert_eq!(lines[4] == "by-name", kind == Kind::Exec, "{text}");
    }
}

#[test]
fn ctrl_c_typed_at_its_terminal_reaches_the_task() {
    if !privileged() {
        return;
    }
    let size = Stdin::Terminal {
        rows: 24,
        columns: 80,
    };
    for kind in [Kind::Exec, Kind::Exec2] {
        let script = "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.05; done";
        let world = given(kind, "ctrl-c", script, size);
        let task = world.start().unwrap();
        let mut terminal = fs::File::from(task.take_input().unwrap());
        let mut buffer = [0; 64];
        let count = terminal.read(&mut buffer).unwrap();
        assert!(buffer[..count].starts_with(b"ready"));
        terminal
            .as_fd()
            .try_clone_to_owned()
            .map(fs::File::from)
            .unwrap()
            .write_all(b"\x03")
            .unwrap();
        assert!(printed(&task, terminal).contains("caught"), "{kind:?}");
        assert_eq!(task.wait().unwrap().exit_code, 4, "{kind:?}");
        task.destroy(false).unwrap();
    }
}

#[test]
fn whoever_looks_from_beside_ends_nothing() {
    quietly("beside", &sh("sleep 0.5; exit 5"), |world| {
        let task = world.start().unwrap();
        let seen = Task::beside(&task.handle()).unwrap();
        assert_eq!(seen.inspect().unwrap().state, State::Running);
        assert_eq!(seen.watch().unwrap().end().unwrap().exit_code, 5);
        drop(seen);
        // The record is there until whoever started the task clears up.
        task.wait().unwrap();
        assert!(Task::beside(&task.handle()).is_err());
        task.destroy(false).unwrap();
        for bytes in [&b""[..], b"{}", b"{\"driver\":\"exec\"}", &task.handle()] {
            assert!(Task::beside(bytes).is_err());
        }
    });
}
