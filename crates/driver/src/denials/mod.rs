//! What the sandbox has denied a task, in a job's words: the path, the right that was missing, and the entry to add.
//!
//! The kernel says it in audit records (`sandbox::audit`); [`Watch`] reads along while tasks run, and [`crate::Task::denials`] asks it when a task
//! has ended. A path that does not exist is never among them: nothing denies what is not there.
mod advice;
mod rights;
mod seen;
mod watch;
mod watched;

use std::path::PathBuf;

use sandbox::audit::{Access, Object};
use sandbox::spec::Ports;

pub use sandbox::audit::{Error, Left, Outlook, is_marked, outlook, sweep};
pub use watch::{News, Watch};
pub use watched::Watched;

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
    /// An entry of an option.
    Entry {
        /// Who has to add it.
        who: Who,
        /// The option: `unveil`, `unveil_paths` or `network_rules`.
        option: &'static str,
        /// The entry.
        entry: String,
    },
    /// Programs go on without it.
    Harmless,
    /// Nothing, and why.
    Nothing(&'static str),
}

/// Whose configuration an entry is missing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The task's own.
    Task,
    /// The operator's: a task may not grant it itself.
    Operator,
}

/// An entry to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry<'d> {
    /// Who has to add it.
    pub who: Who,
    /// To which option.
    pub option: &'static str,
    /// As it is, without quotes.
    pub text: &'d str,
}

impl Denials {
    /// Whether there is nothing to tell: nothing was denied, as far as all was read.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && !self.incomplete
    }

    /// The entries that together allow what can be allowed, none of them below another.
    pub fn entries(&self) -> Vec<Entry<'_>> {
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
    /// The ports that tasks may grant themselves; `None`: any.
    pub(crate) ports: Option<Ports>,
}

/// What tells denials apart: a right is missing on something.
type Key = (Object, Vec<String>);

fn key(access: Access) -> Key {
    (access.object, access.blockers)
}
