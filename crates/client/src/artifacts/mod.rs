//! `artifact` blocks: something is fetched, checked, unpacked and put where the task finds it.
//!
//! ```text
//! this process ── order, on a pipe ──► launcher: root, one thread, empty environment
//!      ▲                                  │ describes, prepares, launches
//!      │ report, in the staging           ▼
//!      └───────────────────────────── fetcher: nobody, a root of its own, no links, no devices, no children
//!                                         │ writes to the staging alone
//! place: root, on descriptors, follows no link: staging ──► task directory
//! ```
//!
//! The fetcher is the only one that talks to a server and the only one that reads an archive; whatever it is made to do,
//! it has a directory full of files to show for it and nothing else. The launcher is there because a process is launched
//! by one that has one thread. When this process is killed, the launcher's pipe closes and it takes the fetcher with it.
mod confine;
mod error;
mod fetcher;
mod hook;
mod launcher;
mod order;
mod place;
mod resolve;
mod roles;
#[cfg(test)]
mod server;
mod session;
mod url;

use std::collections::BTreeMap;

pub use error::Failure;
#[doc(hidden)]
pub use fetcher::try_unpacking;
pub(crate) use hook::{Artifacts, mistakes};
pub use order::{ARCHIVES, Archive, Holds, Limits, Packed};
pub use roles::role;

/// How a task names its directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Views {
    /// The task's name.
    pub(crate) task: String,
    /// The shared directory.
    pub(crate) alloc: String,
    /// `local`.
    pub(crate) local: String,
    /// `secrets`.
    pub(crate) secrets: String,
}

impl Views {
    /// By what the task's environment says.
    fn of(task: &str, env: &BTreeMap<String, String>) -> Views {
        let of = |name: &str| env.get(name).cloned().unwrap_or_default();
        Views {
            task: task.to_owned(),
            alloc: of("NOMAD_ALLOC_DIR"),
            local: of("NOMAD_TASK_DIR"),
            secrets: of("NOMAD_SECRETS_DIR"),
        }
    }

    /// Each directory as the task names it, with what it is and what of that lies below.
    fn places(&self) -> [(&str, resolve::Base, &'static str); 3] {
        [
            (&self.alloc, resolve::Base::Shared, ""),
            (&self.local, resolve::Base::Task, "local"),
            (&self.secrets, resolve::Base::Task, "secrets"),
        ]
    }
}
