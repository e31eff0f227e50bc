//! The task's view of the host: read-only, with what is granted for writing and the task's own directories bound in.
use std::path::{Path, PathBuf};

use sandbox::spec::{Access, Missing, Mount, MountFlags, Source};

use super::layout::Layout;
use super::lower::{Grant, Grants, Place};
use super::{Operator, defaults};
use crate::api::StartError;
use crate::lower::{self, Given, bind};
use crate::{devices, generated};

/// Every mount, in order. A later one may lie in an earlier one; what a bind shows is always the host's, whatever is mounted
/// over it here.
pub(super) fn mounts(
    place: Place<'_>,
    operator: &Operator,
    grants: &Grants,
) -> Result<Vec<Mount>, StartError> {
    let (given, layout) = (place.given, place.layout);
    let view = View::of(given, operator, grants);
    view.check(grants)?;
    let mut mounts = Vec::new();
    mounts.extend(
        view.private_tmp
            .then(|| bind(layout.task.join("tmp"), "/tmp"))
            .map(nosuid),
    );
    let wide = grants.0.iter().filter(|grant| view.wide(grant, layout));
    mounts.extend(wide.map(granted));
    mounts.extend(view.covered_run.then(|| lower::cover("/run")));
    // The task's user could pass these no more than a stranger; the task's own directories are attached in them again.
    mounts.extend(place.survey.closed.iter().map(lower::cover));
    mounts.extend(given.hidden.iter().map(lower::cover));
    mounts.extend(view.links_below_run());
    let returned = grants.0.iter().filter(|grant| view.returned(grant));
    mounts.extend(returned.flat_map(|grant| view.shown_again(grant)));
    mounts.push(lower::proc());
    mounts.extend(own(layout));
    mounts.extend(view.pinned(layout, grants));
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

    /// The places of the task's own directories in the task directory, where the task may write to that itself: a mount point cannot
    /// be renamed or replaced, so a root task leaves no link there for the next start to follow.
    fn pinned(&self, layout: &Layout, grants: &Grants) -> Vec<Mount> {
        let writes = |grant: &Grant| grant.writes && layout.inside.starts_with(&grant.path);
        // Below a private /tmp, which is granted whole, everything is writable that is not mounted read-only.
        let below_tmp = self.private_tmp && layout.inside.starts_with("/tmp");
        if !below_tmp && !grants.0.iter().any(writes) {
            return Vec::new();
        }
        let own = |name| nosuid(bind(layout.task.join(name), layout.inside.join(name)));
        vec![
            own("local"),
            own("tmp"),
            lower::cover(layout.inside.join("private")),
        ]
    }

    /// Refuses what cannot be granted as it is written.
    fn check(&self, grants: &Grants) -> Result<(), StartError> {
        let below = |grant: &&Grant| self.private_tmp && grant.path.starts_with("/tmp");
        let mut below = grants.0.iter().filter(below);
        match below.find(|grant| !grant.fits_a_mount()) {
            None => Ok(()),
            Some(grant) => Err(lower::value(
                "unveil",
                format!(
                    "{} lies in /tmp, and the task has a /tmp of its own: in it a directory can be unveiled with r, rx, rwc or rwxc, a file with r, rx, rw or rwx; unveil /tmp itself to use the host's",
                    grant.path.display()
                ),
            )),
        }
    }

    /// A grant that was hidden, with covers for what no task may see below it: theirs were made before.
    fn shown_again(&self, grant: &Grant) -> Vec<Mount> {
        let covers = lower::covers(self.hidden, &grant.path, &grant.path);
        let mut mount = granted(grant);
        mount.flags.noexec = self.private_tmp
            && grant.path.starts_with("/tmp")
            && !grant.access.contains(Access::EXECUTE);
        std::iter::once(mount).chain(covers).collect()
    }

    /// The targets of `/etc/resolv.conf` and `/dev/log`, granted by default.
    fn links_below_run(&self) -> Vec<Mount> {
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
