//! Which hierarchies this host has, found once from mountinfo.
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Error, Paths};

/// A controller by its kernel name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are the kernel's")]
pub enum Controller {
    Blkio,
    Cpu,
    Cpuacct,
    Cpuset,
    Devices,
    Freezer,
    Memory,
    Pids,
}

/// Where the controllers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// One hierarchy with all controllers.
    V2,
    /// Controllers on v1 hierarchies; with or without a bare v2 hierarchy beside them.
    V1,
}

/// The mounted hierarchies of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Where the controllers are.
    pub version: Version,
    /// Mount point of the v2 hierarchy, with (v2) or without (hybrid) controllers.
    pub unified: Option<PathBuf>,
    /// Mount point of each v1 controller.
    pub v1: BTreeMap<Controller, PathBuf>,
}

impl Host {
    /// Looks at `/proc/self/mountinfo`.
    pub fn detect() -> Result<Host, Error> {
        todo!()
    }

    /// The directories of the cgroup `relative` (`encamp.slice/share.slice/x.scope`) in every hierarchy.
    pub fn paths(&self, _relative: &std::path::Path) -> Paths {
        todo!()
    }

    /// The directories that a client made and handed over as one cpuset directory, and those to be made beside them. `scope` is the
    /// name of its own directory.
    pub fn given(&self, _cpuset_cgroup: &std::path::Path, _scope: &str) -> Paths {
        todo!()
    }
}
