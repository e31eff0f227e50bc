//! Whether this host can run a driver.
use std::collections::BTreeMap;

use crate::api::{Attribute, Fingerprint, FsIsolation, Health, Operator, Place};
use crate::{capabilities, exec, exec2};

pub(crate) fn fingerprint(operator: &Operator, place: &Place) -> Fingerprint {
    let without = |health, description: &str| Fingerprint {
        health,
        description: description.to_owned(),
        attributes: BTreeMap::new(),
    };
    if !rustix::process::geteuid().is_root() {
        return without(Health::Undetected, "Driver must run as root");
    }
    if cgroup::Host::detect().is_err() {
        return without(Health::Unhealthy, "Failed to discover cgroup mount point");
    }
    match operator {
        Operator::Exec(operator) => exec(operator, place),
        Operator::Exec2(operator) => match sandbox::landlock::abi() {
            Some(abi) => exec2(operator, abi),
            None => without(Health::Unhealthy, NO_LANDLOCK),
        },
    }
}

/// With the way out.
pub(crate) const NO_LANDLOCK: &str = "landlock not available: it needs Linux 5.13 or later with CONFIG_SECURITY_LANDLOCK, and landlock in the kernel's lsm= list";

fn exec(operator: &exec::Operator, place: &Place) -> Fingerprint {
    // `client.chroot_env` does not reach an agent's plugin that makes its root itself: an operator who set it must know.
    let description = match (operator.fs_isolation, &place.agent_env) {
        (FsIsolation::Chroot, _) | (_, None) => "Healthy",
        _ => "Healthy (chroot_env is this plugin's own option; the client's is not used)",
    };
    Fingerprint {
        health: Health::Healthy,
        description: description.to_owned(),
        attributes: BTreeMap::from([("driver.exec".to_owned(), Attribute::Bool(true))]),
    }
}

fn exec2(operator: &exec2::Operator, abi: u32) -> Fingerprint {
    let attributes = [
        (
            "driver.exec2.unveil.defaults",
            Attribute::Bool(operator.unveil_defaults),
        ),
        (
            "driver.exec2.unveil.tasks",
            Attribute::Bool(operator.unveil_by_task),
        ),
        ("driver.exec2.landlock.abi", Attribute::Int(abi.into())),
        (
            "driver.exec2.caps.allowlist",
            Attribute::String(capabilities::names(operator.allow_caps).join(",")),
        ),
    ];
    Fingerprint {
        health: Health::Healthy,
        description: "Healthy".to_owned(),
        attributes: attributes
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::api::Compute;
    use crate::capabilities::Supported;
    use crate::options::{Values, decode, tables::EXEC_OPERATOR};

    #[test]
    fn only_an_agent_is_told_that_its_clients_chroot_env_is_not_used() {
        let told = |isolation: &str, lifetime, agent_env| {
            let values = Values::from([("fs_isolation".to_owned(), isolation.into())]);
            let values = decode(EXEC_OPERATOR, &values).unwrap();
            let operator = exec::Operator::read(&values, Supported::up_to(40)).unwrap();
            let place = Place {
                state_dir: "/".into(),
                lifetime,
                compute: Compute {
                    total_mhz: 1,
                    cores: 1,
                },
                hidden: Vec::new(),
                agent_env,
            };
            exec(&operator, &place).description.contains("chroot_env")
        };
        let agent = || Some(BTreeMap::new());
        for lifetime in [shim::Lifetime::Foreground, shim::Lifetime::Detached] {
            assert!(told("image", lifetime, agent()));
            assert!(!told("image", lifetime, None));
            assert!(!told("chroot", lifetime, agent()));
        }
    }
}
