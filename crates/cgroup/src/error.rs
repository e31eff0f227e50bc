//! What can go wrong with a cgroup.
use std::path::PathBuf;

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
        /// Host pids that would not go.
        pids: Vec<i32>,
        /// How long was waited.
        seconds: u64,
    },
}
