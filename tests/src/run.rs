//! A running `encamp`, and what came of it.
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

/// How long anything may take before it counts as hung, on a machine of common speed; see [`patience`].
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How many times longer everything may take here: `20` on an emulated machine.
pub const SLOWER: &str = "ENCAMP_TEST_PATIENCE";

/// A time to wait, on this machine.
#[must_use]
pub fn patience(usual: Duration) -> Duration {
    let slower = std::env::var(SLOWER).ok();
    usual * slower.and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// Where allocations of tasks that failed stay, for somebody to look at.
const ALLOCATIONS: &str = "/var/lib/encamp/alloc/";

/// The end of a command.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Exit code; `None` when it was killed.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// All of it.
    pub stdout: String,
    /// All of it.
    pub stderr: String,
}

impl Outcome {
    /// The JSON lines that the probe printed.
    ///
    /// # Panics
    /// When there is something else on standard output.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        let parse = |line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}\n{self}"))
        };
        self.stdout.lines().map(parse).collect()
    }

    /// The first line that the probe printed: its facts, or its only answer.
    ///
    /// # Panics
    /// When it printed nothing.
    #[must_use]
    pub fn line(&self) -> Value {
        self.lines()
            .into_iter()
            .next()
            .unwrap_or_else(|| panic!("the probe printed nothing\n{self}"))
    }

    /// Checks the exit code and shows everything when it is another.
    ///
    /// # Panics
    /// Then.
    #[must_use]
    #[track_caller]
    pub fn exited(self, code: i32) -> Outcome {
        assert_eq!(self.code, Some(code), "exit code\n{self}");
        self
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Outcome {
            code,
            signal,
            stdout,
            stderr,
        } = self;
        write!(
            formatter,
            "code {code:?} signal {signal:?}\n--- stdout\n{stdout}--- stderr\n{stderr}---"
        )
    }
}

/// A command whose output is collected while it runs. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

/// What has arrived so far, and who collects it.
#[derive(Debug)]
pub(crate) struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    collector: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts it with nothing on standard input.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Running {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Stream::collect(child.stdout.take().expect("it was piped"));
        let stderr = Stream::collect(child.stderr.take().expect("it was piped"));
        Running {
            child,
            stdout,
            stderr,
        }
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid is positive")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = rustix::process::kill_process(Pid::from_child(&self.child), signal);
    }

    /// Waits until standard output holds `text`.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn wait_for_stdout(&self, text: &str) -> String {
        self.stdout.wait_for(text, || self.stderr.text())
    }

    /// Waits until standard error holds `text`.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn wait_for_stderr(&self, text: &str) -> String {
        self.stderr.wait_for(text, || self.stdout.text())
    }

    /// Waits for its end. When it does not come in time the command is killed and the test fails.
    ///
    /// # Panics
    /// Then.
    #[track_caller]
    pub fn wait(mut self) -> Outcome {
        let status = self.wait_status();
        let (stdout, stderr) = (self.stdout.finish(), self.stderr.finish());
        let Some(status) = status else {
            panic!(
                "hung for {:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}",
                patience(PATIENCE)
            )
        };
        remove_kept(&stderr);
        Outcome {
            code: status.code(),
            signal: status.signal(),
            stdout,
            stderr,
        }
    }

    fn wait_status(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience(PATIENCE);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        None
    }
}

/// Removes the directories that the command says it kept: nobody will look at them here. What is left after that was left in silence.
fn remove_kept(stderr: &str) {
    for path in stderr
        .split_whitespace()
        .filter_map(|word| word.strip_prefix(ALLOCATIONS))
    {
        let name = path.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
        if !name.is_empty() && !name.contains(['/', '.']) {
            let _ = std::fs::remove_dir_all(Path::new(ALLOCATIONS).join(name));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Stream {
    fn collect(from: impl Read + Send + 'static) -> Stream {
        Stream::open(move || from)
    }

    /// Of something that may take a while to open: a FIFO waits for its first writer.
    pub(crate) fn open<R: Read>(open: impl FnOnce() -> R + Send + 'static) -> Stream {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let collector = thread::spawn(move || {
            let mut from = open();
            let mut buffer = [0; 8192];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                sink.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        Stream {
            bytes,
            collector: Some(collector),
        }
    }

    /// Waits until `text` is among what has arrived; `more` is shown when it never comes.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str, more: impl Fn() -> String) -> String {
        let deadline = Instant::now() + patience(PATIENCE);
        loop {
            let so_far = self.text();
            if so_far.contains(text) {
                return so_far;
            }
            assert!(
                Instant::now() < deadline,
                "no {text:?} on standard output\n{so_far}\n--- stderr\n{}",
                more()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// Everything up to the end of the stream; a process that was left behind and holds it does not keep us for ever.
    pub(crate) fn finish(&mut self) -> String {
        let deadline = Instant::now() + patience(Duration::from_secs(5));
        if let Some(collector) = self.collector.take() {
            while !collector.is_finished() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
        }
        self.text()
    }
}
