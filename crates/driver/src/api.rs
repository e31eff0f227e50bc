//! The types that a driver is asked with and answers with; the functions are in the modules named after what they do.
use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, SystemTime};

use sandbox::Enforcement;

use crate::denials::{Watch, Watched};
use crate::handle::Handle;
use crate::options::Mismatch;
use crate::processes::Processes;
use crate::remembered::Remembered;
use crate::stats::Sample;
use crate::task::Ended;
use crate::{exec, exec2};

/// Which of the two drivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the drivers' names")]
pub enum Kind {
    Exec,
    Exec2,
}

/// A driver, configured by its operator. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Driver(pub(crate) Arc<Configured>);

/// What a driver is made of.
#[derive(Debug)]
pub(crate) struct Configured {
    pub(crate) operator: Operator,
    pub(crate) place: Place,
    /// The place's hidden directories and its state directory.
    pub(crate) hidden: Vec<PathBuf>,
    /// `HOME`, `USER` and `TMPDIR` of this process.
    pub(crate) inherited: BTreeMap<String, String>,
    /// Who reads what is denied.
    pub(crate) watch: Mutex<Weak<Watch>>,
    /// What the client forgets of tasks.
    pub(crate) remembered: Remembered,
}

/// The operator's configuration of one of the two.
#[derive(Debug)]
pub(crate) enum Operator {
    Exec(exec::Operator),
    Exec2(exec2::Operator),
}

/// What a driver needs to know of the place it runs in.
#[derive(Debug, Clone)]
pub struct Place {
    /// Root-only directory for sockets and exit records.
    pub state_dir: PathBuf,
    /// Whether tasks end with this process.
    pub lifetime: shim::Lifetime,
    /// The node's compute.
    pub compute: Compute,
    /// Directories that no task may see although they lie below something granted: data, state, sockets.
    pub hidden: Vec<PathBuf>,
    /// The environment of the agent that this process is a plugin of: its client hands tasks more of that than they should have, or
    /// less. `None`: there is no agent.
    pub agent_env: Option<BTreeMap<String, String>>,
}

/// The node's compute, for cpu limits and stats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compute {
    /// Sum over all cores.
    pub total_mhz: u64,
    /// All logical cores.
    pub cores: u64,
}

/// What Nomad calls the driver's Capabilities.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "Nomad's DriverCapabilities, name for name")]
pub struct Features {
    pub send_signals: bool,
    pub exec: bool,
    pub fs_isolation: FsIsolation,
    pub network_isolation_modes: Vec<crate::task_config::NetworkMode>,
    pub must_create_network: bool,
    pub dynamic_workload_users: bool,
}

/// Which kind of root a driver gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "Nomad's words")]
pub enum FsIsolation {
    None,
    Chroot,
    Image,
    Unveil,
}

/// Whether this host can run the driver.
#[derive(Debug, Clone, PartialEq)]
pub struct Fingerprint {
    /// Health.
    pub health: Health,
    /// In the originals' words where they have some.
    pub description: String,
    /// `driver.exec2.unveil.tasks` and the like.
    pub attributes: BTreeMap<String, Attribute>,
}

/// Nomad's three states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "Nomad's words")]
pub enum Health {
    Undetected,
    Unhealthy,
    Healthy,
}

/// A node attribute's value.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names are the types'")]
pub enum Attribute {
    Bool(bool),
    Int(i64),
    String(String),
}

/// As a node's attributes show it.
impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attribute::Bool(yes) => yes.fmt(f),
            Attribute::Int(number) => number.fmt(f),
            Attribute::String(text) => text.fmt(f),
        }
    }
}

/// A started or recovered task. Dropping it never touches the task, except where its lifetime is the foreground.
#[derive(Debug)]
pub struct Task {
    pub(crate) handle: Handle,
    /// The connection on which a foreground task's life hangs.
    pub(crate) _lifeline: Option<shim::Shim>,
    /// The near end of its descriptor 0.
    pub(crate) input: Mutex<Option<OwnedFd>>,
    /// Once it is known.
    pub(crate) ended: Mutex<Option<Ended>>,
    /// The previous reading, for rates.
    pub(crate) sample: Mutex<Sample>,
    /// The same of each process.
    pub(crate) processes: Mutex<Processes>,
    /// Who reads what it is denied.
    pub(crate) watched: Mutex<Option<Watched>>,
}

/// The end of a task in Nomad's form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExitResult {
    /// The code; 128 + n for signal n.
    pub exit_code: i32,
    /// The signal, or 0.
    pub signal: i32,
    /// The kernel killed it or a part of it for memory, and it failed.
    pub oom_killed: bool,
    /// The kernel wrote its memory down when it died (core(5)).
    pub core_dumped: bool,
    /// The signal of a stop after which it did not end in time, so that it was killed.
    pub killed_after: Option<i32>,
    /// What became of it when the shim was lost (`the shim was killed and took the task with it`).
    pub error: Option<String>,
    /// When it ended.
    pub ended_at: Option<SystemTime>,
}

/// Nomad's task states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "Nomad's words")]
pub enum State {
    Unknown,
    Running,
    Exited,
}

/// InspectTask's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Task id.
    pub id: String,
    /// Task name.
    pub name: String,
    /// State.
    pub state: State,
    /// When it was started.
    pub started_at: SystemTime,
    /// How it ended, if it has.
    pub result: Option<ExitResult>,
    /// `pid`: the host pid; `landlock_abi`, and `landlock_fs` and so on for every feature of Landlock.
    pub attributes: BTreeMap<String, String>,
    /// What the task asked for and could not be had at the start, in words.
    pub refusals: Vec<String>,
    /// What nobody asked for by name, and this host's kernel does not have, in words.
    pub lacking: Vec<String>,
    /// What the Landlock domain restricts; `None`: there is none.
    pub landlock: Option<Enforcement>,
}

/// One sample of usage. Percentages are of one core.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(
    missing_docs,
    reason = "Nomad's TaskResourceUsage, name for name; None: not measured"
)]
pub struct TaskStats {
    pub timestamp: Option<SystemTime>,
    pub system_mode_percent: Option<f64>,
    pub user_mode_percent: Option<f64>,
    pub percent: Option<f64>,
    pub total_ticks: Option<f64>,
    pub throttled_periods: Option<u64>,
    pub throttled_nsec: Option<u64>,
    pub rss_bytes: Option<u64>,
    pub cache_bytes: Option<u64>,
    pub swap_bytes: Option<u64>,
    pub usage_bytes: Option<u64>,
    pub max_usage_bytes: Option<u64>,
    pub kernel_usage_bytes: Option<u64>,
    pub kernel_max_usage_bytes: Option<u64>,
    pub mapped_file_bytes: Option<u64>,
    pub pids: Option<u64>,
    pub processes: BTreeMap<i32, ProcessStats>,
}

/// What one process uses, by its pid on the host; looked at every five seconds at most. Percentages are of one core.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[allow(missing_docs, reason = "Nomad's ResourceUsage, name for name")]
pub struct ProcessStats {
    pub rss_bytes: u64,
    pub swap_bytes: u64,
    pub system_mode_percent: f64,
    pub user_mode_percent: f64,
    pub percent: f64,
}

/// What ExecTask gives back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecOutput {
    /// stdout and stderr merged, the last 4096 bytes.
    pub output: Vec<u8>,
    /// How it ended.
    pub result: ExitResult,
}

/// A command running beside the task. Dropping it kills the command.
#[derive(Debug)]
pub struct Session {
    /// Near ends of its streams; take them out to pump them.
    pub streams: Option<shim::Streams>,
    pub(crate) entered: shim::Entered,
    pub(crate) terminal: Option<OwnedFd>,
}

/// A mistake in the operator's configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Of type or name.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// Of value, in the originals' words: `default_pid_mode must be "private" or "host", got "x"`.
    #[error("{message}")]
    Value {
        /// The option.
        option: &'static str,
        /// What is wrong with it.
        message: String,
    },
}

/// Why a task was not started. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Of type or name in the task's configuration.
    #[error("failed to decode driver config: {0}")]
    Mismatch(#[from] Mismatch),
    /// Of value in the task's configuration, in the originals' words.
    #[error("{message}")]
    Value {
        /// The option, so that a face that knows positions can point at it.
        option: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// A user that cannot be resolved or is not allowed.
    #[error("{0}")]
    User(String),
    /// The command does not exist inside (127).
    #[error("{0}")]
    NotFound(String),
    /// The command exists and cannot be executed (126).
    #[error("{0}")]
    NotExecutable(String),
    /// The host or the sandbox failed (125).
    #[error("{act}")]
    Host {
        /// What was attempted.
        act: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StartError {
    /// The option of the task's that is to blame, so that a face that knows positions can point at it.
    pub fn option(&self) -> Option<&str> {
        match self {
            StartError::Mismatch(mismatch) => Some(&mismatch.option),
            StartError::Value { option, .. } => Some(option),
            StartError::NotFound(_) | StartError::NotExecutable(_) => Some("command"),
            StartError::Host { source, .. } => match source.downcast_ref() {
                Some(shim::SpawnError::Step {
                    directory: true, ..
                }) => Some("work_dir"),
                _ => None,
            },
            StartError::User(_) => None,
        }
    }
}

/// Why a running task did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not a signal's name.
    #[error("unknown signal {0:?}")]
    UnknownSignal(String),
    /// `destroy` without force.
    #[error("cannot destroy running task")]
    StillRunning,
    /// It has ended.
    #[error("the task is not running")]
    NotRunning,
    /// No command.
    #[error("error cmd must have at least one value")]
    NoCommand,
    /// The command does not exist inside (127).
    #[error("{0}")]
    NotFound(String),
    /// The command exists and cannot be executed (126).
    #[error("{0}")]
    NotExecutable(String),
    /// The time was over.
    #[error("the command did not end within {0:?} and was killed")]
    Timeout(Duration),
    /// The shim.
    #[error(transparent)]
    Shim(shim::Error),
    /// The cgroup.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
    /// Something else of the host.
    #[error("{act}")]
    Io {
        /// What was attempted.
        act: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl From<shim::Error> for Error {
    fn from(error: shim::Error) -> Error {
        match error {
            shim::Error::NotFound(message) => Error::NotFound(message),
            shim::Error::NotExecutable(message) => Error::NotExecutable(message),
            other => Error::Shim(other),
        }
    }
}

/// Why a task was not recovered. Nothing was touched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// Bytes that are not a handle of ours, or of another version.
    #[error("failed to decode task state from handle: {0}")]
    Handle(String),
    /// No trace of the task is left.
    #[error("task {id} is gone: {reason}")]
    Gone {
        /// Task id.
        id: String,
        /// What was looked for.
        reason: String,
    },
    /// The shim.
    #[error(transparent)]
    Shim(#[from] shim::Error),
}
