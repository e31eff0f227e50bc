//! SetConfig: the operator's options and the node's compute.
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use driver::options::from_msgpack;
use driver::{Compute, Driver, Kind};
use tonic::Status;

use crate::failure::failed;
use crate::proto::base::{ClientTopology, ClientTopologyCore, NomadConfig, SetConfigRequest};

/// Where sockets and exit records of tasks are kept.
const STATE_DIR: &str = "/var/lib/encamp/state";

/// What Nomad takes a core for whose speed it cannot find out.
const UNKNOWN_CORE_MHZ: u64 = 1000;

/// The directories of this plugin.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) state_dir: PathBuf,
    socket_dir: PathBuf,
}

impl Place {
    /// `ENCAMP_STATE_DIR` moves the state, for tests.
    pub(crate) fn new(socket_dir: &Path) -> Place {
        let state_dir = std::env::var_os("ENCAMP_STATE_DIR").filter(|dir| !dir.is_empty());
        Place {
            state_dir: state_dir
                .unwrap_or_else(|| OsString::from(STATE_DIR))
                .into(),
            socket_dir: socket_dir.to_owned(),
        }
    }

    fn of_a_driver(&self, compute: Compute) -> driver::Place {
        driver::Place {
            state_dir: self.state_dir.clone(),
            lifetime: shim::Lifetime::Detached,
            compute,
            hidden: vec![self.state_dir.clone(), self.socket_dir.clone()],
            agent_env: Some(own_environment()),
        }
    }
}

/// Checks a configuration. `Ok(None)`: it is in order and the agent only wanted to know.
pub(crate) fn configure(
    kind: Kind,
    request: &SetConfigRequest,
    place: &Place,
) -> Result<Option<Driver>, Status> {
    let values = from_msgpack(&request.msgpack_config).map_err(|error| failed(&error))?;
    let compute = compute(request.nomad_config.as_ref());
    let driver =
        Driver::new(kind, &values, place.of_a_driver(compute)).map_err(|error| failed(&error))?;
    Ok(request.nomad_config.is_some().then_some(driver))
}

/// An agent starts its plugins with its own.
fn own_environment() -> BTreeMap<String, String> {
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// As Nomad reckons it: an override, or the sum over all cores. Never zero, since limits are divided by it.
fn compute(config: Option<&NomadConfig>) -> Compute {
    let topology = config
        .and_then(|config| config.driver.as_ref())
        .and_then(|driver| driver.topology.as_ref());
    let cores = topology.map_or(0, |topology| topology.cores.len() as u64);
    let cores = if cores > 0 {
        cores
    } else {
        std::thread::available_parallelism().map_or(1, |n| n.get() as u64)
    };
    let total_mhz = topology.map_or(0, total_mhz);
    Compute {
        total_mhz: if total_mhz > 0 {
            total_mhz
        } else {
            cores.saturating_mul(UNKNOWN_CORE_MHZ)
        },
        cores,
    }
}

fn total_mhz(topology: &ClientTopology) -> u64 {
    match topology.override_total_compute {
        0 => topology
            .cores
            .iter()
            .map(core_mhz)
            .fold(0, u64::saturating_add),
        given => given,
    }
}

fn core_mhz(core: &ClientTopologyCore) -> u64 {
    [core.base_speed, core.max_speed, core.guess_speed]
        .into_iter()
        .find(|speed| *speed > 0)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::base::NomadDriverConfig;

    fn config(topology: Option<ClientTopology>) -> NomadConfig {
        NomadConfig {
            driver: Some(NomadDriverConfig {
                topology,
                ..Default::default()
            }),
        }
    }

    fn core(base_speed: u64, max_speed: u64, guess_speed: u64) -> ClientTopologyCore {
        ClientTopologyCore {
            base_speed,
            max_speed,
            guess_speed,
            ..Default::default()
        }
    }

    #[test]
    fn compute_is_the_sum_of_what_is_known_of_each_core() {
        let cores = vec![core(2000, 4000, 0), core(0, 3000, 1), core(0, 0, 1500)];
        let config = config(Some(ClientTopology {
            cores,
            ..Default::default()
        }));
        assert_eq!(
            compute(Some(&config)),
            Compute {
                total_mhz: 6500,
                cores: 3
            }
        );
    }

    #[test]
    fn an_override_wins() {
        let topology = ClientTopology {
            cores: vec![core(2000, 0, 0)],
            override_total_compute: 700,
            ..Default::default()
        };
        assert_eq!(
            compute(Some(&config(Some(topology)))),
            Compute {
                total_mhz: 700,
                cores: 1
            }
        );
    }

    #[test]
    fn compute_is_never_zero() {
        let empty = [
            None,
            Some(config(None)),
            Some(config(Some(ClientTopology::default()))),
        ];
        for config in empty {
            let compute = compute(config.as_ref());
            assert!(compute.cores > 0 && compute.total_mhz == compute.cores * UNKNOWN_CORE_MHZ);
        }
    }
}
