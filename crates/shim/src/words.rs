//! What callers say and hear.
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sandbox::{Enforcement, Spec};

use crate::connection::Shim;
use crate::protocol;

/// What to start and how its supervisor shall behave.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The process.
    pub spec: &'a Spec,
    /// The cgroup it runs in; emptied before the start. Exists already.
    pub cgroup: &'a cgroup::Paths,
    /// The shim's own directory, made 0700 here; must not exist yet. Holds the socket and the exit record.
    pub state: &'a Path,
    /// What becomes of the process when the connection that [`spawn`](crate::spawn()) returns is closed.
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
    /// The init of ours, which has entered the Landlock domain; 0: there is none.
    pub init_pid: i32,
    /// When the process was started.
    pub started_at: SystemTime,
    /// What was wanted and could not be had, in words (`oom_score_adj -1: permission denied`).
    pub refusals: Vec<String>,
    /// What its Landlock domain restricts, if it has one.
    pub landlock: Option<Enforcement>,
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
    /// It was PID 1 and would not have heard the signal that was asked for, so it was killed at once.
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
    pub env: &'a BTreeMap<String, String>,
    /// Working directory inside.
    pub cwd: &'a Path,
    /// With a terminal.
    pub tty: bool,
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

impl From<protocol::Record> for ExitStatus {
    fn from(record: protocol::Record) -> ExitStatus {
        ExitStatus {
            end: record.finish.into(),
            core: record.finish.core,
            oom_kills: record.oom_kills,
            stopped_by: record.stopped_by,
            forced: record.forced,
            deaf: record.deaf,
            ended_at: time(record.ended_at),
        }
    }
}

impl From<protocol::Finish> for End {
    fn from(finish: protocol::Finish) -> End {
        if finish.signal == 0 {
            End::Code(finish.code)
        } else {
            End::Signal(finish.signal)
        }
    }
}

impl From<protocol::Running> for Running {
    fn from(running: protocol::Running) -> Running {
        let protocol::Running {
            pid,
            start_time,
            shim_pid,
            shim_start_time,
            init_pid,
            started_at,
        } = running;
        Running {
            pid,
            start_time,
            shim_pid,
            shim_start_time,
            init_pid,
            started_at: time(started_at),
            refusals: vec![],
            landlock: None,
        }
    }
}

fn time(nanoseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}
