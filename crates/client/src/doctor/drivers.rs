//! Whether each driver can run here, in its own words.
use driver::{Attribute, Fingerprint, Health, Kind};

use super::Finding;
use crate::compute::compute;
use crate::drivers::{self, KINDS};
use crate::settings::Settings;

pub(super) fn look(settings: &Settings) -> Vec<Finding> {
    KINDS.into_iter().map(|kind| one(kind, settings)).collect()
}

fn one(kind: Kind, settings: &Settings) -> Finding {
    let check = format!("driver.{}", kind.name());
    match drivers::configured(kind, settings, settings.run_dir.clone(), compute()) {
        Ok(driver) => told(kind, check, &driver.fingerprint()),
        Err(error) => Finding::failure(check, format!("driver {:?}: {error}", kind.name())),
    }
}

fn told(kind: Kind, check: String, fingerprint: &Fingerprint) -> Finding {
    let name = kind.name();
    if fingerprint.health == Health::Healthy {
        let attributes: Vec<_> = fingerprint
            .attributes
            .iter()
            .map(|(name, value)| format!("{name}={}", shown(name, value)))
            .collect();
        return Finding::fine(
            check,
            format!("driver {name:?} is healthy ({})", attributes.join(", ")),
        );
    }
    let health = match fingerprint.health {
        Health::Undetected => "undetected",
        _ => "unhealthy",
    };
    Finding::failure(
        check,
        format!("driver {name:?} is {health}: {}", fingerprint.description),
    )
}

/// As a Nomad node shows it: a driver that is there says `1`, other attributes say true or false.
fn shown(name: &str, value: &Attribute) -> String {
    match value {
        Attribute::Bool(true) if name == "driver.exec" => "1".to_owned(),
        other => other.to_string(),
    }
}
