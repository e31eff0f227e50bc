//! `/proc/self/mountinfo`, as far as cgroups are concerned.
//!
//! # References
//! proc_pid_mountinfo(5)
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::Controller;

/// One mounted cgroup hierarchy, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Major and minor number of the file system.
    device: (u32, u32),
    /// Whether the whole hierarchy is mounted, not a directory of it.
    whole: bool,
    pub(crate) point: PathBuf,
    pub(crate) hierarchy: Hierarchy,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hierarchy {
    Unified,
    /// Its controllers; none for a named hierarchy, which holds no limits.
    V1(Vec<Controller>),
}

impl Mount {
    fn parse(line: &str) -> Option<Mount> {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(2);
        let (device, root, point) = (left.next()?, left.next()?, left.next()?);
        let mut right = right.split(' ');
        let hierarchy = match right.next()? {
            "cgroup2" => Hierarchy::Unified,
            "cgroup" => Hierarchy::V1(
                right
                    .nth(1)?
                    .split(',')
                    .filter_map(Controller::from_name)
                    .collect(),
            ),
            _ => return None,
        };
        let (major, minor) = device.split_once(':')?;
        let device = (major.parse().ok()?, minor.parse().ok()?);
        Some(Mount {
            device,
            whole: root == "/",
            point: unescape(point),
            hierarchy,
        })
    }

    /// Whether its path leads to it: another mount above or over it may hide it.
    pub(crate) fn is_visible(&self) -> bool {
        let Ok(found) = std::fs::metadata(&self.point) else {
            return false;
        };
        (
            rustix::fs::major(found.dev()),
            rustix::fs::minor(found.dev()),
        ) == self.device
    }

    /// The lower the better: copies of a hierarchy for a container's root may be mounted as well.
    fn rank(&self) -> (bool, bool) {
        (!self.whole, !self.point.starts_with("/sys/fs/cgroup"))
    }
}

/// All cgroup mounts in the text.
pub(crate) fn mounts(text: &str) -> Vec<Mount> {
    text.lines().filter_map(Mount::parse).collect()
}

/// The best mount among those that `wanted` is true of.
pub(crate) fn best(mounts: &[Mount], wanted: impl Fn(&Hierarchy) -> bool) -> Option<&Path> {
    let candidates = mounts.iter().filter(|mount| wanted(&mount.hierarchy));
    candidates
        .min_by_key(|mount| mount.rank())
        .map(|mount| mount.point.as_path())
}

/// Undoes the kernel's octal escapes of space, tab, newline and backslash.
fn unescape(field: &str) -> PathBuf {
    let bytes = field.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let octal = (bytes[at] == b'\\')
            .then(|| field.get(at + 1..at + 4))
            .flatten();
        if let Some(byte) = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            out.push(byte);
            at += 4;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    PathBuf::from(OsString::from_vec(out))
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]
mod tests {
    use super::*;

    #[test]
    fn optional_fields_and_extra_options_do_not_matter() {
        let text = "36 25 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:16 master:3 - cgroup cgroup rw,xattr,cpu,cpuacct,release_agent=/x\n";
        let found = mounts(text);
        assert_eq!(found[0].point, Path::new("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(
            found[0].hierarchy,
            Hierarchy::V1(vec![Controller::Cpu, Controller::Cpuacct])
        );
        assert_eq!(found[0].device, (0, 31));
    }

    #[test]
    fn escaped_mount_points_are_read_as_they_are() {
        assert_eq!(unescape(r"/a\040b\134c\011"), Path::new("/a b\\c\t"));
        assert_eq!(unescape(r"/broken\0"), Path::new(r"/broken\0"));
    }

    #[test]
    fn other_file_systems_and_broken_lines_are_passed_over() {
        assert_eq!(
            mounts("1 2 0:3 / /proc rw - proc proc rw\nrubbish\n\n"),
            Vec::new()
        );
    }

    #[test]
    fn the_whole_hierarchy_at_the_usual_place_is_preferred() {
        let text = "\
40 1 0:30 / /var/lib/box/sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
41 1 0:30 /box /sys/fs/cgroup/part rw - cgroup cgroup rw,memory
42 1 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
";
        let found = best(&mounts(text), |h| {
            *h == Hierarchy::V1(vec![Controller::Memory])
        })
        .map(Path::to_owned);
        assert_eq!(found.unwrap(), Path::new("/sys/fs/cgroup/memory"));
    }

    #[test]
    fn a_mount_whose_path_leads_elsewhere_is_not_visible() {
        let hidden = Mount::parse("40 1 0:0 / /proc rw - cgroup cgroup rw,memory").unwrap();
        assert!(!hidden.is_visible());
    }
}
