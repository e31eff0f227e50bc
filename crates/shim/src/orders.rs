//! What the image is told at its start, as bytes behind its descriptor 0.
use std::os::fd::RawFd;

use sandbox::Program;
use serde::{Deserialize, Serialize};

/// Everything the image works from. Descriptors are inherited under their numbers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Orders {
    /// The process.
    pub program: Program,
    /// Every inherited descriptor that the program speaks of; closed after the launch unless still needed.
    pub fds: Vec<RawFd>,
    /// The connection to whoever starts it.
    pub control: RawFd,
    /// The listening socket.
    pub listener: RawFd,
    /// The state directory.
    pub state: RawFd,
    /// The cgroup of the process.
    pub cgroup: cgroup::Paths,
    /// End with the control connection.
    pub foreground: bool,
    /// `oom_kill` before the start.
    pub oom_kills: u64,
    /// Who owns the process: entered commands get terminals of that owner.
    pub uid: u32,
}
