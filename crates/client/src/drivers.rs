//! The drivers as the operator of this machine has them.
use std::path::PathBuf;

use driver::{Compute, ConfigError, Driver, Fingerprint, Kind, Place};
use shim::Lifetime;

use crate::plan::operator_config;
use crate::settings::Settings;

/// Both, in the order in which they are listed.
pub(crate) const KINDS: [Kind; 2] = [Kind::Exec, Kind::Exec2];

/// What each of them says of this host.
pub(crate) type Fingerprints = [(Kind, Result<Fingerprint, ConfigError>); 2];

pub(crate) fn fingerprints(settings: &Settings, compute: Compute) -> Fingerprints {
    KINDS.map(|kind| {
        let driver = configured(kind, settings, settings.run_dir.clone(), compute);
        (kind, driver.map(|driver| driver.fingerprint()))
    })
}

/// A driver whose tasks end with this process; what it keeps goes into a directory.
pub(crate) fn configured(
    kind: Kind,
    settings: &Settings,
    state_dir: PathBuf,
    compute: Compute,
) -> Result<Driver, ConfigError> {
    let place = Place {
        state_dir,
        lifetime: Lifetime::Foreground,
        compute,
        hidden: settings.hidden(),
        agent_env: None,
    };
    Driver::new(kind, &operator_config(kind, &settings.node), place)
}
