//! This node as `nomad node status` would show it: found by looking, nothing is changed.
use std::collections::BTreeMap;

use driver::{Fingerprint, Health};
use jobspec::Scope;

use crate::attributes::attributes;
use crate::compute::compute;
use crate::drivers;
use crate::settings::Settings;

/// What there is to say of this node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeStatus {
    /// Its names, attributes and meta.
    pub scope: Scope,
    /// Each driver's state, by name.
    pub drivers: BTreeMap<String, DriverStatus>,
    /// Seconds since the host was started.
    pub uptime: Option<u64>,
}

/// The state of a driver.
#[derive(Debug, Clone, PartialEq)]
pub struct DriverStatus {
    /// Whether this host could have it.
    pub detected: bool,
    /// Whether it can run tasks.
    pub healthy: bool,
    /// In the driver's words.
    pub description: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
}

/// Looks at this node.
pub fn node_status(settings: &Settings) -> NodeStatus {
    let compute = compute();
    let found = drivers::fingerprints(settings, compute);
    let scope = attributes(settings, compute, &found);
    let drivers = found.into_iter().map(|(kind, found)| {
        let status = match found {
            Ok(fingerprint) => DriverStatus::of(fingerprint),
            Err(error) => DriverStatus {
                detected: false,
                healthy: false,
                description: error.to_string(),
                attributes: BTreeMap::new(),
            },
        };
        (kind.name().to_owned(), status)
    });
    NodeStatus {
        scope,
        drivers: drivers.collect(),
        uptime: uptime(),
    }
}

impl DriverStatus {
    fn of(fingerprint: Fingerprint) -> DriverStatus {
        let attributes = fingerprint.attributes.into_iter();
        DriverStatus {
            detected: fingerprint.health != Health::Undetected,
            healthy: fingerprint.health == Health::Healthy,
            description: fingerprint.description,
            attributes: attributes
                .map(|(name, value)| (name, value.to_string()))
                .collect(),
        }
    }
}

fn uptime() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    text.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_tells_of_both_drivers_and_itself() {
        let status = node_status(&Settings::default());
        let names: Vec<&str> = status.drivers.keys().map(String::as_str).collect();
        assert_eq!(names, ["exec", "exec2"]);
        assert_eq!(status.scope.node["pool"], "default");
        assert!(status.uptime.is_some());
        for driver in status.drivers.values() {
            assert!(!driver.healthy || driver.detected);
            assert!(!driver.description.is_empty());
        }
    }
}
