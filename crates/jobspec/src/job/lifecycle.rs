//! When a task starts and ends beside the others of its group.

use serde::Serialize;

/// `lifecycle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lifecycle {
    /// `hook`.
    pub hook: Hook,
    /// `sidecar`: it runs as long as the main tasks do.
    pub sidecar: bool,
}

/// When a task that is not a main task starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Hook {
    /// Before the main tasks.
    Prestart,
    /// Once the main tasks run.
    Poststart,
    /// After all other tasks have ended.
    Poststop,
}
