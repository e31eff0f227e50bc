//! Why a description cannot be carried out, found out before anything is cloned.
use std::io;
use std::path::PathBuf;

/// A failed act of [`crate::prepare`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call on a path failed.
    #[error("{act} {}", path.display())]
    Path {
        /// What was attempted: `open`, `make directory`.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A system call without a path failed.
    #[error("{act}")]
    Call {
        /// What was attempted.
        act: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A path is not what it has to be.
    #[error("{} {problem}", path.display())]
    Unfit {
        /// The path.
        path: PathBuf,
        /// What is wrong with it, and the way out.
        problem: String,
    },
    /// The kernel has no Landlock, or it is switched off.
    #[error(
        "landlock not available: this kernel does not offer it (since Linux 5.13; `lsm=` must list landlock)"
    )]
    NoLandlock,
    /// The Landlock ruleset could not be built.
    #[error("build the Landlock ruleset")]
    Ruleset {
        /// Why.
        source: io::Error,
    },
    /// None of the places holds the executable.
    #[error("file {name} not found; looked in {}", searched.join(", "))]
    NotFound {
        /// As it was asked for.
        name: String,
        /// Paths inside, in order.
        searched: Vec<String>,
    },
    /// The executable is there and cannot be executed.
    #[error("{} cannot be executed: {reason}", path.display())]
    NotExecutable {
        /// Path inside.
        path: PathBuf,
        /// Why, and the way out.
        reason: String,
    },
    /// A string that has to become a C string holds a NUL byte.
    #[error("{what} holds a NUL byte")]
    Nul {
        /// Which string.
        what: String,
    },
    /// The cgroup cannot be entered.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
}

impl Error {
    pub(crate) fn path(
        act: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Error {
        Error::Path {
            act,
            path: path.into(),
            source: source.into(),
        }
    }

    pub(crate) fn call(act: impl Into<String>, source: impl Into<io::Error>) -> Error {
        Error::Call {
            act: act.into(),
            source: source.into(),
        }
    }
}
