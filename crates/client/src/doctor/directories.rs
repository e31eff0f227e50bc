//! Where allocations are kept: whether tasks can be run from there.
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};

use super::Finding;
use crate::settings::Settings;

/// With less room than this a task's first template or log may fail.
const LITTLE_ROOM_BYTES: u64 = 300 << 20;
const OTHERS_WRITE: u32 = 0o022;

pub(super) fn look(settings: &Settings) -> Vec<Finding> {
    let path = &settings.data_dir;
    let Some(existing) = nearest(path) else {
        return vec![];
    };
    let mut findings = match of_file_system(path, &existing) {
        Ok(findings) => findings,
        Err(error) => vec![Finding::failure(
            "data_dir",
            format!("cannot look at {}: {error}", existing.display()),
        )],
    };
    findings.extend(unsafe_parent(&existing));
    if findings.is_empty() {
        findings.push(Finding::fine(
            "data_dir",
            format!("allocations in {}", path.display()),
        ));
    }
    findings
}

/// The directory itself, or what it would be made in.
fn nearest(path: &Path) -> Option<PathBuf> {
    path.ancestors()
        .find(|ancestor| ancestor.exists())
        .map(Path::to_owned)
}

fn of_file_system(path: &Path, existing: &Path) -> io::Result<Vec<Finding>> {
    let found = statvfs(existing)?;
    let shown = path.display();
    let mut findings = vec![];
    if found.f_flag.contains(StatVfsMountFlags::RDONLY) {
        findings.push(
            Finding::failure("data_dir", format!("{shown} is on a read-only file system"))
                .way_out("choose another one: --data-dir"),
        );
    }
    if found.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        findings.push(
            Finding::warning(
                "data_dir",
                format!("{shown} is mounted noexec: no downloaded program of a task can be run"),
            )
            .way_out("choose another one: --data-dir"),
        );
    }
    let room = found.f_bavail.saturating_mul(found.f_frsize);
    if room < LITTLE_ROOM_BYTES {
        findings.push(Finding::warning(
            "data_dir",
            format!("{shown} has {} MiB of room left", room >> 20),
        ));
    }
    Ok(findings)
}

/// Whoever can rename a directory on the way can put another in its place.
fn unsafe_parent(existing: &Path) -> Option<Finding> {
    let changeable = existing.ancestors().find(|directory| {
        directory.metadata().is_ok_and(|found| {
            let sticky = found.mode() & 0o1000 != 0;
            found.uid() != 0 || (found.mode() & OTHERS_WRITE != 0 && !sticky)
        })
    })?;
    Some(
        Finding::warning(
            "data_dir",
            format!(
                "{} on the way to the data directory can be changed by others than root",
                changeable.display()
            ),
        )
        .way_out(format!(
            "chown root {0} && chmod go-w {0}",
            changeable.display()
        )),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::testing::Scratch;

    #[test]
    fn a_directory_that_does_not_exist_yet_is_judged_by_its_parent() {
        let scratch = Scratch::new();
        assert_eq!(
            nearest(&scratch.path().join("a/b")),
            Some(scratch.path().to_owned())
        );
    }

    #[test]
    fn a_directory_that_others_can_change_is_named() {
        let scratch = Scratch::new();
        let open = scratch.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
        let found = unsafe_parent(&open).unwrap();
        assert!(found.text.contains(&open.display().to_string()));
    }
}
