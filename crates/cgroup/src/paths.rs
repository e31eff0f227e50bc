//! The directories that together are one cgroup.
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Controller;

/// One cgroup's directory in each hierarchy. Plain data: it can be stored and opened again by another process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// In the v2 hierarchy: all controllers (v2) or only kill and events (hybrid).
    pub unified: Option<PathBuf>,
    /// In each v1 hierarchy.
    pub v1: BTreeMap<Controller, PathBuf>,
    /// Directories that other cgroups share (a v1 cpuset partition): entered, never killed, counted or removed.
    pub shared: BTreeMap<Controller, PathBuf>,
}
