//! What can go wrong with a cgroup.
use std::path::{Path, PathBuf};

/// A failed act on a cgroup; the source says why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No cgroup hierarchy that can hold limits is mounted.
    #[error("no usable cgroup hierarchy is mounted: {reason}")]
    NoHierarchy {
        /// What was looked for and not found.
        reason: String,
    },
    /// A path or name from outside does not name a cgroup of this host.
    #[error("{} is no cgroup that can be used here: {reason}", path.display())]
    Unusable {
        /// The path or name.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A list of processors cannot be read.
    #[error("{list:?} is no list of processors such as 0-3,8: {reason}")]
    CpuList {
        /// The list.
        list: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or directory of a cgroup could not be used.
    #[error("{act} {}", path.display())]
    Io {
        /// What was attempted: `create`, `write memory.max = 1 to`, `read`.
        act: String,
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Processes were still there when the time was over.
    #[error("{} still holds processes {pids:?} after {seconds} s", path.display())]
    Populated {
        /// The cgroup.
        path: PathBuf,
        /// Pids that would not go, as the caller's pid namespace numbers them; those it cannot see are left out.
        pids: Vec<i32>,
        /// How long was waited.
        seconds: u64,
    },
}

impl Error {
    pub(crate) fn io(
        act: impl Into<String>,
        path: &Path,
        source: impl Into<std::io::Error>,
    ) -> Error {
        Error::Io {
            act: act.into(),
            path: path.to_owned(),
            source: source.into(),
        }
    }

    pub(crate) fn unusable(path: &Path, reason: &str) -> Error {
        Error::Unusable {
            path: path.to_owned(),
            reason: reason.to_owned(),
        }
    }
}
