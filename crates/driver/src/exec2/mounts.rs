//! The task's view of the host: read-only, with what is granted for writing and the task's own directories bound in.
use std::path::{Path, PathBuf};

use sandbox::spec::{Missing, Mount, MountFlags, Source};

use super::layout::Layout;
use super::lower::{Grant, Grants};
use super::{Operator, defaults};
use crate::api::StartError;
use crate::lower::{self, Given, bind};
use crate::{devices, generated};

/// Every mount, in order. A later one may lie in an earlier one; what a bind shows is always the host's, whatever is mounted
/// over it here.
pub(super) fn mounts(
    given: Given<'_>,
    operator: &Operator,
    layout: &Layout,
    grants: &Grants,
) -> Result<Vec<Mount>, StartError> {
    let view = View::of(given, operator, grants);
    let mut mounts = Vec::new();
    mounts.extend(
        view.private_tmp
            .then(|| bind(layout.task.join("tmp"), "/tmp"))
            .map(nosuid),
    );
    mounts.extend(
        grants
            .0
            .iter()
            .filter(|grant| view.wide(grant, layout))
            .map(granted),
    );
    mounts.extend(view.covered_run.then(|| lower::cover("/run")));
    mounts.extend(given.hidden.iter().map(lower::cover));
    mounts.extend(view.resolver());
    for grant in grants.0.iter().filter(|grant| view.returned(grant)) {
        mounts.push(granted(grant));
        mounts.extend(lower::covers(given.hidden, &grant.path, &grant.path));
    }
    mounts.push(lower::proc());
    mounts.extend(own(layout));
    mounts.extend(lower::volumes(given)?);
    for device in &given.task.devices {
        mounts.push(devices::node(device)?);
    }
    mounts.extend(generated::files(given, given.resolver)?);
    Ok(mounts)
}

/// What of the host's tree is hidden from this task.
struct View<'a> {
    private_tmp: bool,
    covered_run: bool,
    hidden: &'a [PathBuf],
}

impl<'a> View<'a> {
    fn of(given: Given<'a>, operator: &Operator, grants: &Grants) -> View<'a> {
        View {
            // Only a grant of /tmp itself means the host's.
            private_tmp: operator.unveil_defaults && !grants.name("/tmp"),
            // Root connects to any socket by its path, which Landlock lets pass before ABI 9.
            covered_run: given.user.uid == 0 && !grants.name("/run") && !grants.name("/"),
            hidden: given.hidden,
        }
    }

    /// A grant that must be writable where it is. The task's own directories are, and `/proc` is its own.
    fn wide(&self, grant: &Grant, layout: &Layout) -> bool {
        grant.writes
            && !self.returned(grant)
            && layout.own(&grant.path).is_none()
            && !grant.path.starts_with("/proc")
            && grant.path != Path::new("/")
    }

    /// A grant below something that hides it, shown again at its own place.
    fn returned(&self, grant: &Grant) -> bool {
        let below = |directory: &str| grant.path.starts_with(directory);
        (self.private_tmp && below("/tmp")) || (self.covered_run && below("/run"))
    }

    /// The targets of `/etc/resolv.conf`, granted by default.
    fn resolver(&self) -> Vec<Mount> {
        let shown = |path: &&&str| {
            self.covered_run
                && !self
                    .hidden
                    .iter()
                    .any(|hidden| Path::new(path).starts_with(hidden))
        };
        let mount = |path| Mount {
            flags: MountFlags {
                read_only: true,
                ..MountFlags::default()
            },
            missing: Missing::Skip,
            ..bind(path, path)
        };
        defaults::BELOW_RUN
            .iter()
            .filter(shown)
            .map(|path| mount(*path))
            .collect()
    }
}

/// Recursive: the host's mounts below it were part of it. Devices stay devices.
fn granted(grant: &Grant) -> Mount {
    Mount {
        target: grant.path.clone(),
        source: Source::Bind {
            path: grant.path.clone(),
            recursive: true,
        },
        flags: MountFlags {
            read_only: !grant.writes,
            ..MountFlags::default()
        },
        missing: Missing::Refuse,
    }
}

/// What Nomad's client binds below its mounts directory, which nothing restores after a reboot. Not the private directory: the
/// bind is not recursive, so what is mounted there stays out.
fn own(layout: &Layout) -> Vec<Mount> {
    let mut secrets = nosuid(bind(
        layout.task.join("secrets"),
        layout.inside.join("secrets"),
    ));
    secrets.flags.noexec = true;
    vec![
        nosuid(bind(&layout.task, &layout.inside)),
        nosuid(bind(&layout.alloc, &layout.alloc_inside)),
        secrets,
    ]
}

fn nosuid(mut mount: Mount) -> Mount {
    mount.flags.nosuid = true;
    mount
}
