//! What a run tells while it goes on. Words for people are the caller's business; the record that other commands read
//! is [`crate::state`]'s.
use std::path::Path;
use std::time::Duration;

use driver::ExitResult;

/// Who is told; from several threads.
pub type Tell<'a> = &'a (dyn Fn(Event<'_>) + Sync);

/// One thing that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// What a killed run had left could not be cleared, or this one could not clear up behind itself.
    Left(&'a crate::Error),
    /// To a task.
    Task(Whose<'a>, TaskEvent<'a>),
    /// The alloc directory stays.
    Kept(&'a Path),
}

/// Which task something happened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the levels of a job file")]
pub struct Whose<'a> {
    pub alloc_id: &'a str,
    pub group: &'a str,
    /// Which of its group's allocations.
    pub index: u32,
    pub task: &'a str,
}

/// One thing that happened to a task.
#[derive(Debug)]
#[non_exhaustive]
pub enum TaskEvent<'a> {
    /// It belongs to this run.
    Received,
    /// A wish of the job that was cut to what the node allows.
    Capped {
        /// What was asked for.
        kill_timeout: Duration,
        /// What it is.
        cap: Duration,
    },
    /// Its directories are made.
    Setup,
    /// All is settled, nothing is started yet.
    Placed {
        /// As the driver is told: a name, `nomad-<uid>`, or empty.
        user: &'a str,
        /// Who that is.
        uid: u32,
        /// The group's.
        ports: &'a [crate::Mapping],
    },
    /// It has a volume that it may not write to, although nobody says it is read-only.
    Unwritable {
        /// The volume.
        volume: &'a str,
        /// Where it is on the host.
        path: &'a Path,
        /// Who the task runs as.
        uid: u32,
    },
    /// A hook says what it does.
    Hook {
        /// Nomad's name for such an event: `Downloading Artifacts`, `Template`.
        kind: &'a str,
        /// In words.
        message: &'a str,
    },
    /// A hook failed.
    HookFailed {
        /// Its name.
        hook: &'a str,
        /// Why.
        error: &'a str,
    },
    /// So much of an artifact has come.
    Fetching {
        /// Where it comes from, without credentials.
        source: &'a str,
        /// How much.
        bytes: u64,
        /// Of so much, if the server says.
        total: Option<u64>,
        /// In this time.
        took: Duration,
    },
    /// Entries of an artifact's archive that are neither files nor directories and were not made.
    LeftOut {
        /// Where it comes from.
        source: &'a str,
        /// How many.
        count: u64,
        /// The name of the first.
        first: &'a str,
    },
    /// An artifact is where it belongs.
    Fetched {
        /// Where it comes from.
        source: &'a str,
        /// How much came.
        bytes: u64,
        /// How long it took.
        took: Duration,
    },
    /// It runs.
    Started {
        /// Its pid on the host, if the driver tells.
        pid: Option<&'a str>,
    },
    /// It was not started.
    DriverFailure {
        /// Why.
        error: &'a str,
    },
    /// What the task asked for and could not be had at the start.
    Refused(&'a str),
    /// What nobody asked for by name, and this host does not have.
    Lacking(&'a str),
    /// What the task's Landlock domain restricts.
    Landlock(&'a driver::Enforcement),
    /// It is sent a signal.
    Signaling {
        /// Which.
        signal: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// It is to be started again although it runs.
    RestartSignaled {
        /// Why.
        reason: &'a str,
    },
    /// Another task of its group failed for good, so it ends.
    SiblingFailed {
        /// That task.
        sibling: &'a str,
    },
    /// The leader of its group has ended, so it ends.
    LeaderDead,
    /// The main tasks of its group have ended, so it ends.
    MainDead,
    /// Its group may run no longer.
    TimeIsOver {
        /// Than this.
        max_run_duration: Duration,
    },
    /// Its group goes on for this time before it is ended.
    GroupShutdownDelay {
        /// Which.
        delay: Duration,
    },
    /// It goes on for this time before it is asked to end.
    ShutdownDelay {
        /// Which.
        delay: Duration,
    },
    /// The task is asked to end.
    Stopping {
        /// By this signal.
        signal: &'a str,
        /// And killed after this time.
        grace: Duration,
        /// Why, where Nomad has words of its own for it.
        reason: Option<&'a str>,
    },
    /// The task is killed.
    Killing,
    /// Asking failed, so it is killed.
    StopFailed(&'a driver::Error),
    /// The task has ended.
    Exited(Exit<'a>),
    /// What its sandbox denied it until its end.
    Denied(&'a driver::denials::Denials),
    /// Why nobody knows what its sandbox denied it.
    DenialsUnknown(&'a driver::denials::Error),
    /// It has ended because it was to.
    Killed,
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
        /// Why.
        because: Because,
    },
    /// It will not be started again, and has failed.
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
    /// Output that could not be kept in the task's log files; the task runs on.
    LogLost {
        /// `stdout` or `stderr`.
        stream: &'static str,
        /// Why.
        source: &'a std::io::Error,
    },
    /// So much of it was lost until the task's end.
    LogDropped {
        /// `stdout` or `stderr`.
        stream: &'static str,
        /// How much.
        bytes: u64,
    },
}

/// How a task ended.
#[derive(Debug, Clone, Copy)]
pub struct Exit<'a> {
    /// How.
    pub result: &'a ExitResult,
    /// The exit code that stands for it.
    pub code: u8,
    /// After this time.
    pub lived: Duration,
    /// How long that took, where it was asked to.
    pub stopping: Option<Duration>,
    /// What memory it was allowed and what it had at most, in bytes.
    pub memory: Memory,
}

/// A task's memory, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// What it was allowed; 0: anything.
    pub limit_bytes: u64,
    /// What it had at most, where that is known.
    pub peak_bytes: Option<u64>,
}

/// Why a task is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// Its policy has attempts left.
    WithinPolicy,
    /// They are used up, and mode `delay` waits for the next interval.
    Delay,
    /// Somebody asked for it.
    Asked,
}
