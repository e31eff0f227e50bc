//! A command that runs beside a test.
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Ended;

/// Waits until it is so.
#[track_caller]
pub(crate) fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "it did not come about");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// Killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Running(Option<Both>);

#[derive(Debug)]
struct Both {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Running {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Running(Some(Both { child, stdout }))
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.0.as_ref().unwrap().child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// The next line of its standard output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        let Both { stdout, .. } = self.0.as_mut().unwrap();
        stdout.read_line(&mut line).unwrap();
        line
    }

    /// Waits for so many lines that are these, in any order.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, lines: &[&str]) {
        let mut missing: Vec<&str> = lines.to_vec();
        while !missing.is_empty() {
            let line = self.line();
            assert!(!line.is_empty(), "{missing:?} never came");
            missing.retain(|wanted| *wanted != line.trim_end());
        }
    }

    pub(crate) fn end_by(self, signal: Signal) -> Ended {
        self.signal(signal);
        self.end()
    }

    /// Waits for its end; what was read of its output before is not in it.
    pub(crate) fn end(mut self) -> Ended {
        let Both { child, mut stdout } = self.0.take().unwrap();
        // Beside the other stream: it may write more to either than a pipe holds.
        let rest = std::thread::spawn(move || {
            let mut rest = String::new();
            stdout.read_to_string(&mut rest).unwrap();
            rest
        });
        let ended = Ended::of(child.wait_with_output().unwrap());
        Ended {
            stdout: rest.join().unwrap(),
            ..ended
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(Both { mut child, .. }) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
