//! The driver's features → Nomad's DriverCapabilities.
use driver::task_config::NetworkMode;
use driver::{Features, FsIsolation};

use crate::proto::drivers::DriverCapabilities;
use crate::proto::drivers::driver_capabilities::{FsIsolation as Isolation, MountConfigs};
use crate::proto::drivers::network_isolation_spec::NetworkIsolationMode;

pub(crate) fn capabilities(features: &Features) -> DriverCapabilities {
    DriverCapabilities {
        send_signals: features.send_signals,
        exec: features.exec,
        fs_isolation: isolation(features.fs_isolation).into(),
        network_isolation_modes: features
            .network_isolation_modes
            .iter()
            .map(|mode| network(*mode).into())
            .collect(),
        must_create_network: features.must_create_network,
        mount_configs: MountConfigs::AnyMounts.into(),
        disable_log_collection: false,
        dynamic_workload_users: features.dynamic_workload_users,
    }
}

fn isolation(isolation: FsIsolation) -> Isolation {
    match isolation {
        FsIsolation::None => Isolation::None,
        FsIsolation::Chroot => Isolation::Chroot,
        FsIsolation::Image => Isolation::Image,
        FsIsolation::Unveil => Isolation::Unveil,
    }
}

fn network(mode: NetworkMode) -> NetworkIsolationMode {
    match mode {
        NetworkMode::Host => NetworkIsolationMode::Host,
        NetworkMode::Group => NetworkIsolationMode::Group,
        NetworkMode::Task => NetworkIsolationMode::Task,
        NetworkMode::None => NetworkIsolationMode::None,
    }
}
