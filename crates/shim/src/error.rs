//! Why something was not started or not done.
use std::path::PathBuf;

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The description cannot be carried out on this host; nothing was started.
    #[error("prepare the sandbox")]
    Prepare(#[source] sandbox::Error),
    /// The executable was not found (exit code 127 by convention).
    #[error("{0}")]
    NotFound(String),
    /// The executable was found and cannot be executed (126).
    #[error("{message}")]
    NotExecutable {
        /// Its path inside.
        path: PathBuf,
        /// Path and reason.
        message: String,
    },
    /// A step between clone and exec failed; nothing is left.
    #[error("{step}")]
    Step {
        /// The step with its arguments.
        step: String,
        /// It was the change to the working directory.
        directory: bool,
        /// Why.
        source: std::io::Error,
    },
    /// The shim itself could not be started or died.
    #[error("{act}")]
    Shim {
        /// What was attempted.
        act: String,
        /// Why.
        source: std::io::Error,
    },
    /// The cgroup could not be emptied or entered.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
}

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The shim is gone.
    #[error("the shim in {} does not answer", state.display())]
    Gone {
        /// Its directory.
        state: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The shim refused.
    #[error("{act}")]
    Refused {
        /// What was asked.
        act: String,
        /// Why.
        source: std::io::Error,
    },
    /// The entered command was not found inside (127).
    #[error("{0}")]
    NotFound(String),
    /// The entered command cannot be executed inside (126).
    #[error("{0}")]
    NotExecutable(String),
}

impl From<sandbox::Error> for SpawnError {
    fn from(error: sandbox::Error) -> SpawnError {
        let message = error.to_string();
        match error {
            sandbox::Error::NotFound { .. } => SpawnError::NotFound(message),
            sandbox::Error::NotExecutable { path, .. } => {
                SpawnError::NotExecutable { path, message }
            }
            sandbox::Error::Cgroup(error) => SpawnError::Cgroup(error),
            error => SpawnError::Prepare(error),
        }
    }
}
