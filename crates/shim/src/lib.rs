//! The small process that stays with a task and outlives whoever started it.
//!
//! This library is the side that starts one and talks to it; the process itself is the image embedded in this crate.
//!
//! # Does not
//! know jobs or drivers: it is handed a prepared process and keeps its end.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sandbox::Spec;

/// What to start and how its supervisor shall behave.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The process.
    pub spec: &'a Spec,
    /// The cgroup it runs in; emptied before the start. Exists already.
    pub cgroup: &'a cgroup::Paths,
    /// The shim's own directory, made 0700 here; must not exist yet. Holds the socket and the exit record.
    pub state: &'a Path,
    /// What becomes of the process when the connection that [`spawn`] returns is closed.
    pub lifetime: Lifetime,
    /// Shown by ps(1) after `encamp-shim`.
    pub title: &'a str,
}

/// How long the process may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// It ends with whoever started it.
    Foreground,
    /// It outlives everybody; its exit record is durable (fsync).
    Detached,
}

/// A connection to a shim.
#[derive(Debug)]
pub struct Shim {}

/// Who runs; host pids with their start times (clock ticks since boot, field 22 of `/proc/<pid>/stat`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The process.
    pub pid: i32,
    /// Its start time.
    pub start_time: u64,
    /// The shim.
    pub shim_pid: i32,
    /// The shim's start time.
    pub shim_start_time: u64,
    /// When the process was started.
    pub started_at: SystemTime,
    /// What was wanted and could not be had, in words (`oom_score_adj -1: permission denied`).
    pub refusals: Vec<String>,
}

/// The end of a process, as the exit record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitStatus {
    /// Code or signal.
    pub end: End,
    /// Core was dumped.
    pub core: bool,
    /// `oom_kill` of its cgroup rose by this many since the start.
    pub oom_kills: u64,
    /// The signal that a stop asked for, when it was stopped.
    pub stopped_by: Option<i32>,
    /// SIGKILL of ours ended it (grace over, or a signal that PID 1 could not hear).
    pub forced: bool,
    /// PID 1 had no handler for the signal that was asked for and was killed at once, as it would be outside a namespace.
    pub deaf: bool,
    /// When it ended.
    pub ended_at: SystemTime,
}

/// wait(2)'s two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `_exit(code)`.
    Code(i32),
    /// Killed by this signal.
    Signal(i32),
}

/// What is found in a state directory.
#[derive(Debug)]
pub enum Found {
    /// The shim answers.
    Alive(Shim, Running),
    /// It ended and left its record.
    Ended(ExitStatus),
    /// It is gone without a record: killed, or the host was rebooted.
    Lost,
}

/// A command to run beside the process, inside the same sandbox.
#[derive(Debug)]
pub struct Enter<'a> {
    /// `argv`; `argv[0]` is looked up along `PATH` of `env` inside.
    pub argv: &'a [String],
    /// The whole environment.
    pub env: &'a std::collections::BTreeMap<String, String>,
    /// Working directory inside.
    pub cwd: &'a Path,
    /// With a terminal.
    pub tty: bool,
}

/// A command that runs beside the process. Dropping it kills the command and its process group.
#[derive(Debug)]
pub struct Entered {
    /// Near ends of its streams; take them out to pump them.
    pub streams: Option<Streams>,
}

/// The near ends of an entered command's streams.
#[derive(Debug)]
pub enum Streams {
    /// The pty's master; resize with `TIOCSWINSZ` on it.
    Terminal(OwnedFd),
    /// Three pipes.
    Pipes {
        /// To its standard input.
        stdin: OwnedFd,
        /// From its standard output.
        stdout: OwnedFd,
        /// From its standard error.
        stderr: OwnedFd,
    },
}

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The description cannot be carried out on this host; nothing was started.
    #[error("{0}")]
    Prepare(String),
    /// The executable was not found (exit code 127 by convention).
    #[error("{0}")]
    NotFound(String),
    /// The executable was found and cannot be executed (126).
    #[error("{0}")]
    NotExecutable(String),
    /// A step between clone and exec failed; nothing is left.
    #[error("{step}")]
    Step {
        /// The step with its arguments.
        step: String,
        /// Why.
        source: std::io::Error,
    },
    /// The shim itself could not be started or died.
    #[error("{act}")]
    Shim {
        /// What was attempted.
        act: String,
        /// Why.
        source: std::io::Error,
    },
    /// The cgroup could not be emptied or entered.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
}

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The shim is gone.
    #[error("the shim in {} does not answer", state.display())]
    Gone {
        /// Its directory.
        state: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The shim refused.
    #[error("{act}")]
    Refused {
        /// What was asked.
        act: String,
        /// Why.
        source: std::io::Error,
    },
    /// The entered command was not found inside (127).
    #[error("{0}")]
    NotFound(String),
    /// The entered command cannot be executed inside (126).
    #[error("{0}")]
    NotExecutable(String),
}

/// Prepares, starts a shim, and returns once the process runs (exec succeeded).
///
/// # Errors
/// Nothing is left behind: no process, no directory.
pub fn spawn(_launch: &Launch<'_>) -> Result<(Shim, Running), SpawnError> {
    todo!()
}

/// Finds what is in a state directory.
pub fn attach(_state: &Path) -> Result<Found, Error> {
    todo!()
}

/// Removes a state directory. Idempotent.
pub fn forget(_state: &Path) -> std::io::Result<()> {
    todo!()
}

impl Shim {
    /// Waits for the end. Any number of connections may wait. `Ok(None)`: the shim died without a record.
    pub fn wait(&self) -> Result<Option<ExitStatus>, Error> {
        todo!()
    }

    /// Sends one signal to the process, as the kernel delivers it.
    pub fn signal(&self, _signal: i32) -> Result<(), Error> {
        todo!()
    }

    /// Polite, then hard: `signal`, after `grace` SIGKILL to all that is in the cgroup; returns when the process has ended. At once
    /// hard when `grace` is zero, or when the process is PID 1 and cannot hear the signal.
    pub fn stop(&self, _signal: i32, _grace: Duration) -> Result<(), Error> {
        todo!()
    }

    /// Starts a command beside the process.
    pub fn enter(&self, _enter: &Enter<'_>) -> Result<Entered, Error> {
        todo!()
    }
}

/// Readable (or hung up) once the command has ended, so that its end and its output can be polled together.
impl std::os::fd::AsFd for Entered {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        todo!()
    }
}

impl Entered {
    /// Waits for its end.
    pub fn wait(&mut self) -> Result<End, Error> {
        todo!()
    }
}
