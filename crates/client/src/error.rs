//! What can go wrong before, around and after a task.
use std::borrow::Cow;
use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use jobspec::{Diagnostic, Span};

/// A failed act on this host; the source says why.
#[derive(Debug, thiserror::Error)]
#[error("{act}")]
pub struct HostError {
    /// What was attempted: `make the directory /run/encamp`.
    pub act: String,
    /// Why it failed.
    pub source: io::Error,
}

/// Says what was attempted when it failed.
pub(crate) trait Attempt<T> {
    fn attempt(self, act: impl FnOnce() -> String) -> Result<T, HostError>;
}

impl<T, E: Into<io::Error>> Attempt<T> for Result<T, E> {
    fn attempt(self, act: impl FnOnce() -> String) -> Result<T, HostError> {
        self.map_err(|error| HostError {
            act: act(),
            source: error.into(),
        })
    }
}

/// Where in the job file a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The task's name.
    pub task: String,
    /// Bytes of the file.
    pub span: Span,
}

/// A driver that this host cannot run, and the reason that Nomad keeps to itself.
#[derive(Debug, thiserror::Error)]
#[error("driver {driver:?}: {reason}")]
pub struct Unavailable {
    /// Its name.
    pub driver: String,
    /// What is missing, in the driver's words.
    pub reason: String,
    /// What to do about it, where that is clear.
    pub way_out: Option<&'static str>,
}

/// Why a job did not run to a result of its own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Mistakes in the job file, each with its place.
    #[error("{} mistake(s) in the job file", .0.len())]
    Job(Vec<Diagnostic>),
    /// Standard input for a job with more tasks than one, or none.
    #[error("-i and -t are for a job with one task; this one has {tasks}")]
    Input {
        /// How many it has.
        tasks: usize,
    },
    /// A driver that is none of ours.
    #[error("driver {driver:?} is not available here")]
    UnknownDriver {
        /// The task that asks for it.
        subject: Subject,
        /// Its name.
        driver: String,
    },
    /// One of our drivers, on a host that cannot run it: Nomad would find no node for the job.
    #[error("* Constraint \"missing drivers\": 1 nodes excluded by filter")]
    MissingDriver {
        /// The task that asks for it.
        subject: Subject,
        /// Why there is no such driver.
        source: Unavailable,
    },
    /// This node cannot take the job for another reason.
    #[error("{constraint}")]
    Placement {
        /// The task, and the place of what cannot be had.
        subject: Subject,
        /// In the words of Nomad's scheduler.
        constraint: String,
        /// Why, and who has it.
        reason: String,
    },
    /// This node is not what the job asks for, each with its place.
    #[error("{} demand(s) of the job are not met here", .0.len())]
    Unmet(Vec<Diagnostic>),
    /// A directory of ours that others can change.
    #[error("{} must belong to root and be writable by root alone", path.display())]
    Unsafe {
        /// The directory.
        path: PathBuf,
    },
    /// The driver did not start the task, and says why.
    #[error("{source}")]
    Start {
        /// The task.
        subject: Subject,
        /// Why.
        source: driver::StartError,
    },
    /// The driver's own configuration is wrong: ours, so a bug.
    #[error("cannot configure the driver")]
    Configure(#[from] driver::ConfigError),
    /// Something that is done before the start failed.
    #[error("its {hook} failed")]
    Hook {
        /// The task.
        subject: Subject,
        /// What it was.
        hook: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The task was started and then lost sight of.
    #[error("lost track of the task")]
    Lost {
        /// The task.
        subject: Subject,
        /// Why.
        source: driver::Error,
    },
    /// No uid is left for a task without `user`.
    #[error("users: uid/gid pool exhausted")]
    NoUid {
        /// The pool.
        pool: RangeInclusive<u32>,
    },
    /// The host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Kernel audit, which a killed run had switched on.
    #[error("cannot put kernel audit back")]
    Audit(#[source] driver::denials::Error),
    /// The cgroup.
    #[error("cannot make the task's cgroup")]
    Cgroup(#[from] cgroup::Error),
}

impl Error {
    /// The exit code of a command that failed so.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Job(_) | Error::Input { .. } | Error::UnknownDriver { .. } => {
                crate::exit::INVALID
            }
            Error::MissingDriver { .. } | Error::Placement { .. } | Error::Unmet(_) => {
                crate::exit::PLACEMENT
            }
            Error::Start { source, .. } => crate::exit::start_failure(source),
            _ => crate::exit::HOST,
        }
    }

    /// The task it is about, if it is about one.
    pub fn subject(&self) -> Option<&Subject> {
        match self {
            Error::UnknownDriver { subject, .. }
            | Error::MissingDriver { subject, .. }
            | Error::Placement { subject, .. }
            | Error::Start { subject, .. }
            | Error::Hook { subject, .. }
            | Error::Lost { subject, .. } => Some(subject),
            _ => None,
        }
    }

    /// What to do about it, where that is clear.
    pub fn way_out(&self) -> Option<Cow<'_, str>> {
        let fixed = match self {
            Error::UnknownDriver { .. } => Some("this machine runs exec and exec2"),
            Error::MissingDriver { source, .. } => source.way_out,
            Error::Unsafe { .. } => Some(
                "choose another directory, or chown it to root and take the others' write permission away",
            ),
            Error::Start { source, .. } if source.option() == Some("work_dir") => Some(
                "work_dir must be a directory inside the task's root that no link of /proc leads to; a missing one is made",
            ),
            Error::NoUid { pool } => {
                return Some(Cow::Owned(format!(
                    "all uids of {}-{} are held by running tasks: wait for one to end, or set `user`",
                    pool.start(),
                    pool.end()
                )));
            }
            Error::Placement { reason, .. } => return Some(Cow::Borrowed(reason)),
            _ => None,
        };
        fixed.map(Cow::Borrowed)
    }
}
