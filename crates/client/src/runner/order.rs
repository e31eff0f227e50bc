//! What a task's runner is told, and what it says at last.
use std::collections::BTreeMap;
use std::time::Duration;

use driver::{ExitResult, StartError, TaskConfig};
use jobspec::Diagnostic;

use crate::error::HostError;
use crate::runner::asked::Haste;
use crate::runner::hook::{Ask, OnFailure};

/// What a task's runner hears of.
#[derive(Debug)]
pub(crate) enum Message {
    /// It may start now.
    Start,
    /// It is to end.
    Kill(Order),
    /// It is to end at once.
    KillNow(Order),
    /// What has come of something done for its start of this number. Of an earlier one it says nothing any more.
    Of(u64, News),
    /// A pump has written all that there was when it was asked, with the number that it was asked by.
    Drained(u8),
    /// A pump could not write.
    OutputLost(&'static str, std::io::Error),
    /// A log file could not be written.
    LogLost(&'static str, std::io::Error),
    /// So many bytes were not written to log files.
    LogDropped(&'static str, u64),
    /// Somebody asks it for something.
    Ask(Ask),
}

/// What has come of something that was done for one start of a task.
#[derive(Debug)]
pub(crate) enum News {
    /// It has ended, or was lost sight of.
    Ended(Result<ExitResult, driver::Error>),
    /// Asking it to end has failed.
    StopFailed(driver::Error),
    /// A script beside it has failed; how, and what becomes of the task.
    ScriptFailed(String, OnFailure),
}

/// Why a task is to end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Order {
    /// The signal that we got, if that is why.
    pub(crate) signal: Option<i32>,
    /// Nomad's words, where it has some of its own for it.
    pub(crate) reason: Option<&'static str>,
    /// How much sooner than the job says.
    pub(crate) haste: Haste,
}

/// How the task is asked to end.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    /// `kill_signal`.
    pub(crate) signal: String,
    /// `kill_timeout`, capped.
    pub(crate) grace: Duration,
    /// `shutdown_delay`.
    pub(crate) delay: Duration,
}

/// What a task is started with; new for each start.
pub(crate) trait Configures: Sync {
    /// Its environment, with what hooks have added so far.
    fn env(&self, more: &BTreeMap<String, String>) -> BTreeMap<String, String>;

    /// All of it.
    fn config(&self, more: &BTreeMap<String, String>) -> Result<TaskConfig, Vec<Diagnostic>>;
}

/// What became of a task.
#[derive(Debug, Default)]
pub(crate) struct TaskEnd {
    /// Whether it was ever started.
    pub(crate) ran: bool,
    /// The exit code of its last end, or of the signal that came before its start.
    pub(crate) code: Option<u8>,
    /// Whether it failed for good.
    pub(crate) failed: bool,
    /// Whether it was told to end.
    pub(crate) killed: bool,
    /// Why it was not started, or what was lost.
    pub(crate) fault: Option<Fault>,
}

/// Why a task has no end of its own.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A hook failed.
    Hook(&'static str, Box<dyn std::error::Error + Send + Sync>),
    /// The job file is wrong, which was not to be seen earlier.
    Job(Vec<Diagnostic>),
    /// The task was not started.
    Start(StartError),
    /// It was, and then lost sight of.
    Lost(driver::Error),
    /// The host.
    Host(HostError),
}
