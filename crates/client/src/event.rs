//! What a run tells while it goes on. Words for people are the caller's business.
use std::path::PathBuf;
use std::time::Duration;

use driver::ExitResult;

/// One thing that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// What a killed run had left could not be cleared, or this one could not clear up behind itself.
    Left(&'a crate::Error),
    /// A wish of the job that was cut to what the node allows.
    Capped {
        /// What was asked for.
        kill_timeout: Duration,
        /// What it is.
        cap: Duration,
    },
    /// All is settled, nothing is started yet.
    Placed {
        /// The allocation.
        alloc_id: &'a str,
        /// As the driver is told: a name, `nomad-<uid>`, or empty.
        user: &'a str,
        /// Who that is.
        uid: u32,
    },
    /// The task runs.
    Started {
        /// The allocation.
        alloc_id: &'a str,
        /// Its pid on the host, if the driver tells.
        pid: Option<&'a str>,
    },
    /// What the task asked for and could not be had at the start.
    Refused(&'a str),
    /// What nobody asked for by name, and this host does not have.
    Lacking(&'a str),
    /// What the task's Landlock domain restricts.
    Landlock(&'a driver::Enforcement),
    /// The task is asked to end.
    Stopping {
        /// By this signal.
        signal: &'a str,
        /// And killed after this time.
        grace: Duration,
    },
    /// The task is killed.
    Killing,
    /// Asking failed, so it is killed.
    StopFailed(&'a driver::Error),
    /// The task has ended.
    Exited {
        /// How.
        result: &'a ExitResult,
        /// The exit code that stands for it.
        code: u8,
        /// After this time.
        lived: Duration,
        /// Whether it was asked to.
        stopped: bool,
        /// How long that took.
        took: Duration,
    },
    /// It will be started again.
    Restarting {
        /// After this time.
        after: Duration,
        /// Which attempt that is.
        attempt: u32,
        /// Of so many.
        attempts: u32,
        /// In this time.
        interval: Duration,
        /// `false` when the attempts are used up and mode `delay` waits for the next interval.
        within_policy: bool,
    },
    /// It will not be started again.
    NotRestarting {
        /// In Nomad's words.
        reason: &'a str,
    },
    /// Output that could not be written; from now on it is thrown away and the task runs on.
    OutputLost {
        /// `stdout` or `stderr`.
        stream: &'static str,
        /// Why.
        source: &'a std::io::Error,
    },
    /// The alloc directory stays.
    Kept(&'a PathBuf),
}
