//! The network that a task is in.
use sandbox::spec::Network;

use crate::api::StartError;
use crate::lower::value;
use crate::task_config::{NetworkMode, TaskConfig};

/// Which network namespace; `None`: the host's.
pub(crate) fn network(task: &TaskConfig) -> Result<Option<Network>, StartError> {
    let Some(given) = &task.network_isolation else {
        return Ok(None);
    };
    let path = (!given.path.as_os_str().is_empty()).then(|| given.path.clone());
    match (given.mode, path) {
        (NetworkMode::Host, _) => Ok(None),
        (_, Some(path)) => Ok(Some(Network::Join(path))),
        // Nomad's client makes a namespace for this mode too; without one the task is alone all the same.
        (NetworkMode::None, None) => Ok(Some(Network::Private)),
        // The host's network instead of the isolated one that was asked for would be a silent downgrade.
        (mode, None) => Err(value(
            "network",
            format!("network isolation mode {mode:?} comes without a network namespace to join"),
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::task_config::NetworkIsolation;

    fn lowered(mode: NetworkMode, path: &str) -> Result<Option<Network>, StartError> {
        network(&TaskConfig {
            network_isolation: Some(NetworkIsolation {
                mode,
                path: path.into(),
                ..NetworkIsolation::default()
            }),
            ..TaskConfig::default()
        })
    }

    #[test]
    fn what_is_isolated_never_gets_the_hosts_network() {
        use NetworkMode::{Group, Host, None as Nothing, Task};
        const NETNS: &str = "/var/run/netns/x";
        let join = || Some(Network::Join(NETNS.into()));
        assert_eq!(network(&TaskConfig::default()).unwrap(), None);
        assert_eq!(lowered(Host, "").unwrap(), None);
        for mode in [Group, Task, Nothing] {
            assert_eq!(lowered(mode, NETNS).unwrap(), join(), "{mode:?}");
        }
        assert_eq!(lowered(Nothing, "").unwrap(), Some(Network::Private));
        for mode in [Group, Task] {
            assert!(lowered(mode, "").is_err(), "{mode:?}");
        }
    }
}
