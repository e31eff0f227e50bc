//! How much of a task's output is kept.

use serde::Serialize;

/// `logs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Logs {
    /// `max_files`, for each of the two streams.
    pub max_files: u32,
    /// `max_file_size`, in MB.
    pub max_file_size_mb: u32,
    /// `disabled`: nothing is kept.
    pub disabled: bool,
}

impl Default for Logs {
    fn default() -> Self {
        Logs {
            max_files: 10,
            max_file_size_mb: 10,
            disabled: false,
        }
    }
}

impl Logs {
    pub(crate) fn is_default(&self) -> bool {
        *self == Logs::default()
    }
}
