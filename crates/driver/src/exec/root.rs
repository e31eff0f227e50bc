//! The root of an `exec` task: layers over the host's directories, with the task's own in place.
use std::path::{Path, PathBuf};

use sandbox::spec::{Device, Missing, Mount, MountFlags, Propagation, Source};

use super::Operator;
use crate::api::{FsIsolation, StartError};
use crate::lower::{self, Directories, Given, bind};
use crate::{devices, generated, task_config};

/// Nomad's size of a task's `/dev/shm`.
const SHM_BYTES: u64 = 64 << 20;

/// Where the root's layers lie, below the task directory.
pub(super) const SCRATCH: &str = ".encamp";

/// Of the task directory, where each is found inside.
pub(super) const BOUND: [&str; 3] = ["local", "secrets", "tmp"];

/// Every mount, in order: what is laid over comes after what it is laid over.
pub(super) fn mounts(
    given: Given<'_>,
    operator: &Operator,
    at: &Directories,
) -> Result<Vec<Mount>, StartError> {
    let mut mounts = match operator.fs_isolation {
        // A chroot may hold copies of what no task may see.
        FsIsolation::Chroot => filled(given, at)
            .chain(given.hidden.iter().map(lower::cover))
            .collect(),
        _ => layers(given, operator)
            .into_iter()
            .chain(filled(given, at))
            .collect::<Vec<_>>(),
    };
    mounts.extend(
        given
            .placed
            .bound
            .iter()
            .map(|name| bind(at.task.join(name), Path::new("/").join(name))),
    );
    mounts.extend(kernel(given.task)?);
    mounts.extend(own(at));
    mounts.extend(lower::volumes(given)?);
    for device in given.task.devices.iter().filter(|device| !in_dev(device)) {
        mounts.push(devices::node(device)?);
    }
    mounts.extend(generated::files(given, given.resolver)?);
    Ok(mounts)
}

/// `chroot_env`, parents before children, and covers over what no task may see.
fn layers(given: Given<'_>, operator: &Operator) -> Vec<Mount> {
    let mut entries: Vec<(PathBuf, PathBuf)> = operator
        .chroot_env
        .iter()
        .map(|(source, target)| {
            (
                lower::clean(Path::new(target)),
                lower::clean(Path::new(source)),
            )
        })
        .collect();
    entries.sort();
    let alloc_dir = std::slice::from_ref(&given.task.alloc_dir);
    let covers = |(target, source): &(PathBuf, PathBuf)| {
        [
            lower::covers(given.hidden, source, target),
            lower::covers(alloc_dir, source, target),
        ]
        .concat()
    };
    let layers = entries.iter().map(|(target, source)| layer(source, target));
    layers.chain(entries.iter().flat_map(covers)).collect()
}

/// What may be the host's own by another name, each with a layer over it: what a task writes stays its own.
fn filled(given: Given<'_>, at: &Directories) -> impl Iterator<Item = Mount> {
    let names = given.placed.filled.iter();
    names.map(|name| layer(at.task.join(name), Path::new("/").join(name)))
}

/// A writable layer over a host directory. No device nodes: a task that may make them must not reach a disk by one.
pub(super) fn layer(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Mount {
    let flags = MountFlags {
        nodev: true,
        ..MountFlags::default()
    };
    Mount {
        target: target.into(),
        source: Source::Layer {
            path: source.into(),
        },
        flags,
        missing: Missing::Skip,
    }
}

/// `/dev`, `/proc` and `/sys`.
fn kernel(task: &task_config::TaskConfig) -> Result<Vec<Mount>, StartError> {
    let quiet = MountFlags {
        nosuid: true,
        nodev: true,
        noexec: true,
        propagation: Propagation::Private,
        read_only: false,
    };
    // Read-only, so that the nodes in it are all there are.
    let dev = MountFlags {
        read_only: true,
        nosuid: true,
        ..MountFlags::default()
    };
    let mount = |target: &str, source, flags| Mount {
        target: target.into(),
        source,
        flags,
        missing: Missing::Refuse,
    };
    Ok(vec![
        mount(
            "/dev",
            Source::Dev {
                devices: devices(task)?,
            },
            dev,
        ),
        mount(
            "/dev/shm",
            Source::Tmpfs {
                size_bytes: Some(SHM_BYTES),
                mode: 0o1777,
            },
            quiet,
        ),
        mount("/dev/mqueue", Source::Mqueue, quiet),
        lower::proc(),
        mount(
            "/sys",
            Source::Sysfs,
            MountFlags {
                read_only: true,
                ..quiet
            },
        ),
    ])
}

fn devices(task: &task_config::TaskConfig) -> Result<Vec<Device>, StartError> {
    let below = task.devices.iter().filter(|device| in_dev(device));
    below.map(device).collect()
}

/// Elsewhere the tree is nodev, so that the node must be a mount of its own.
fn in_dev(device: &task_config::Device) -> bool {
    lower::clean(Path::new(&device.task_path)).starts_with("/dev")
}

fn device(device: &task_config::Device) -> Result<Device, StartError> {
    Ok(Device {
        target: devices::target(device)?,
        path: device.host_path.clone(),
        access: device.cgroup_permissions.clone(),
    })
}

/// What Nomad's client binds or links under `chroot`, and leaves to the driver under `image`.
fn own(at: &Directories) -> Vec<Mount> {
    let mut secrets = bind(at.task.join("secrets"), "/secrets");
    secrets.flags.nosuid = true;
    secrets.flags.noexec = true;
    vec![
        bind(&at.alloc, "/alloc"),
        bind(at.task.join("local"), "/local"),
        secrets,
        bind(at.task.join("tmp"), "/tmp"),
    ]
}
