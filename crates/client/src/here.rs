//! This node, looked at once for everything that a run does: looking asks the drivers, the cgroups and the network.
use std::sync::Arc;

use cgroup::{Host, Version};
use driver::Compute;
use jobspec::Scope;

use crate::attributes::attributes;
use crate::compute::compute;
use crate::drivers;
use crate::settings::Settings;

/// What was found.
#[derive(Debug, Clone)]
pub(crate) struct Here {
    /// What a job can ask of this node.
    pub(crate) scope: Arc<Scope>,
    /// Its cores.
    pub(crate) compute: Compute,
    /// The parent of all tasks' cgroups.
    pub(crate) cgroup_parent: String,
}

impl Here {
    /// Looks.
    pub(crate) fn look(settings: &Settings) -> Here {
        let compute = compute();
        let drivers = drivers::fingerprints(settings, compute);
        Here {
            scope: Arc::new(attributes(settings, compute, &drivers)),
            compute,
            cgroup_parent: cgroup_parent(settings),
        }
    }
}

/// As configured, or by the name that each hierarchy gives it.
fn cgroup_parent(settings: &Settings) -> String {
    let default = || match Host::detect().map(|host| host.version) {
        Ok(Version::V1) => "encamp".to_owned(),
        Ok(Version::V2) | Err(_) => "encamp.slice".to_owned(),
    };
    settings.node.cgroup_parent.clone().unwrap_or_else(default)
}
