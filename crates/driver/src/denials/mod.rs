//! What the sandbox has denied a task, in a job's words: the path, the right that was missing, and the entry to add.
//!
//! The kernel says it in audit records (`sandbox::audit`); [`Watch`] reads along while tasks run, and [`crate::Task::denials`] asks it when a task
//! has ended. A path that does not exist is never among them: nothing denies what is not there.
mod advice;
mod rights;
mod seen;
mod watch;

use std::path::PathBuf;

use sandbox::audit::{Access, Object};

pub use sandbox::audit::{Error, Left, Outlook, outlook, sweep};
pub use watch::Watch;
pub(crate) use watch::Watched;

/// The file that all who switch kernel audit on share, on the whole machine.
pub const LOCK: &str = "/run/encamp-audit.lock";

/// What a task was denied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denials {
    /// Each once; what is probably harmless comes last.
    pub list: Vec<Denial>,
    /// Different ones beyond those that are kept.
    pub more: u64,
    /// Records came faster than they could be read: there may be others.
    pub incomplete: bool,
}

/// One access that was denied, or several that one entry would allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// `read`, `execute`, `create`, `bind`.
    pub access: &'static str,
    /// A path as the task sees it, `port 80`, …
    pub object: String,
    /// How often.
    pub times: u64,
    /// What would allow it.
    pub advice: Advice,
}

/// What would allow what was denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// An entry of this option of the task's: `unveil` or `network_rules`.
    Entry {
        /// The option.
        option: &'static str,
        /// The entry.
        entry: String,
    },
    /// An entry of this option of the operator's: a task may not grant it itself.
    Operator {
        /// The option: `unveil_paths` or `network_rules`.
        option: &'static str,
        /// The entry.
        entry: String,
    },
    /// Programs go on without it.
    Harmless,
    /// Nothing, and why.
    Nothing(&'static str),
}

impl Denials {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The entries of an option that together allow what can be allowed, none of them below another.
    pub fn entries(&self) -> Vec<(&'static str, &str)> {
        advice::outermost(&self.list)
    }
}

/// What is needed to tell a job's author what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Means {
    /// The task directory as the task sees it: an entry is relative to it, since it is another one in each run.
    pub(crate) home: PathBuf,
    /// Whether tasks may grant themselves paths.
    pub(crate) unveil_by_task: bool,
    /// Whether tasks may grant themselves ports.
    pub(crate) ports_by_task: bool,
}

/// What tells denials apart: a right is missing on something.
type Key = (Object, Vec<String>);

fn key(access: Access) -> Key {
    (access.object, access.blockers)
}
