//! Devices of the host that a task is given.
use std::path::{Path, PathBuf};

use sandbox::spec::{Missing, Mount, MountFlags, Source};

use crate::api::StartError;
use crate::lower::{clean, value};
use crate::task_config::Device;

/// Where the task sees it.
pub(crate) fn target(device: &Device) -> Result<PathBuf, StartError> {
    let target = clean(Path::new(&device.task_path));
    // File systems of the task's own lie there, in which nothing of the host's can be.
    let own = ["/dev/pts", "/dev/shm", "/dev/mqueue", "/proc", "/sys"];
    let hidden = own.iter().any(|own| target.starts_with(own));
    if hidden || ["/", "/dev"].iter().any(|place| target == Path::new(place)) {
        let message = format!("a device cannot be shown at {:?}", device.task_path);
        return Err(value("device", message));
    }
    if !device.host_path.is_absolute() {
        let message = format!(
            "the device at {:?} has the relative host path {:?}",
            device.task_path, device.host_path
        );
        return Err(value("device", message));
    }
    Ok(target)
}

/// The host's own node, at its place inside.
pub(crate) fn node(device: &Device) -> Result<Mount, StartError> {
    let flags = MountFlags {
        read_only: true,
        nosuid: true,
        noexec: true,
        ..MountFlags::default()
    };
    Ok(Mount {
        target: target(device)?,
        source: Source::Node {
            path: device.host_path.clone(),
        },
        flags,
        missing: Missing::Refuse,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(task_path: &str, host_path: &str) -> Device {
        Device {
            task_path: task_path.to_owned(),
            host_path: host_path.into(),
            ..Device::default()
        }
    }

    #[test]
    fn a_device_lies_where_it_can_be_seen() {
        for place in [
            "",
            "/",
            "/dev",
            "/dev/../proc/x",
            "/dev/pts/0",
            "/dev/shm/x",
            "/sys/x",
        ] {
            assert!(target(&device(place, "/dev/null")).is_err(), "{place}");
        }
        for place in ["/dev/dri/card0", "/local/null", "x/null"] {
            assert!(target(&device(place, "/dev/null")).is_ok(), "{place}");
        }
        assert!(target(&device("/dev/x", "dev/null")).is_err());
    }
}
