//! Why a task has not got what it was to be given.
use crate::error::HostError;

/// One artifact that is not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The job file asks for what cannot be fetched at all.
    #[error("failed to download artifact {from:?}: {reason}")]
    Source {
        /// Where it was to come from, without credentials.
        from: String,
        /// Why not.
        reason: String,
    },
    /// The job file wants it where no artifact may go.
    #[error("failed to download artifact {from:?}: {reason}")]
    Destination {
        /// Where it was to come from.
        from: String,
        /// Why not there.
        reason: String,
    },
    /// It was tried, and may be tried again.
    #[error("failed to download artifact {from:?}: {reason}")]
    Fetch {
        /// Where it was to come from.
        from: String,
        /// What went wrong.
        reason: String,
    },
    /// Somebody asked for the end.
    #[error("the download was given up")]
    Aborted,
    /// This host is to blame.
    #[error(transparent)]
    Host(#[from] HostError),
}

impl Failure {
    /// Whether another try can go better, so that the restart policy has a say.
    pub fn is_recoverable(&self) -> bool {
        matches!(self, Failure::Fetch { .. })
    }
}
