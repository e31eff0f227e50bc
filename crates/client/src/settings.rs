//! What the user of a run decides about it.
use std::path::PathBuf;

use driver::denials::Left;

use crate::allocation::{ALLOC, CORES, PORTS, USERS};
use crate::node::Node;

/// Where a run keeps its things and what becomes of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Allocations, and claims of uids. `/var/lib/encamp`.
    pub data_dir: PathBuf,
    /// What lives as long as a run: `/run/encamp`.
    pub run_dir: PathBuf,
    /// Which alloc directories stay.
    pub keep: Keep,
    /// Whether the restart policy is followed.
    pub restart: Restarting,
    /// Whether the job's constraints must be met.
    pub constraints: Constraints,
    /// Whether kernel audit may be switched on to learn what tasks are denied.
    pub audit: Left,
    /// After which ends that is told.
    pub denials: Telling,
    /// What the operator of this machine decided.
    pub node: Node,
}

/// After which ends it is told what a task was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// Bad ones that nobody asked for.
    BadEnds,
    /// All.
    Always,
}

/// Which alloc directories stay after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Those of tasks that failed.
    Failed,
    /// All of tasks that ran.
    Always,
    /// None.
    Never,
}

/// Whether the restart policy is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restarting {
    /// As the job says.
    AsTheJobSays,
    /// Never.
    Never,
}

/// Whether the job's constraints must be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraints {
    /// By this node, or the job does not run.
    Met,
    /// Nobody looks.
    Ignored,
}

impl Settings {
    /// What no task may see. Where an unveil task's own directories appear stays open: there is nothing else in it.
    pub fn hidden(&self) -> Vec<PathBuf> {
        vec![
            self.data_dir.join(ALLOC),
            self.data_dir.join(USERS),
            self.data_dir.join(CORES),
            self.data_dir.join(PORTS),
            self.run_dir.clone(),
        ]
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            data_dir: "/var/lib/encamp".into(),
            run_dir: "/run/encamp".into(),
            keep: Keep::Failed,
            restart: Restarting::AsTheJobSays,
            constraints: Constraints::Met,
            audit: Left::On,
            denials: Telling::BadEnds,
            node: Node::default(),
        }
    }
}
