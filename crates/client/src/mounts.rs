//! The two kinds of mounts that a client makes and unmakes: small file systems in memory, and nothing left.
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, unmount,
};

use crate::dirs::{Dir, Owner};
use crate::error::{Attempt, HostError};

/// Mounts a megabyte of memory on a directory, as Nomad does for `secrets` and `private`: nothing in it runs, and
/// where the kernel can (6.4 on) it never reaches swap.
pub(crate) fn memory(on: &Dir, mode: u32, owner: Owner) -> Result<(), HostError> {
    try_memory(on, mode, owner).attempt(|| format!("mount a tmpfs on {}", on.path().display()))
}

fn try_memory(on: &Dir, mode: u32, owner: Owner) -> rustix::io::Result<()> {
    let fs = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let options = [
        ("source", "tmpfs".to_owned()),
        ("size", "1m".to_owned()),
        ("mode", format!("{mode:o}")),
        ("uid", owner.uid.to_string()),
        ("gid", owner.gid.to_string()),
    ];
    for (key, value) in &options {
        fsconfig_set_string(fs.as_fd(), *key, value.as_str())?;
    }
    // Unknown before Linux 6.4 (tmpfs(5)); a refused parameter leaves the others as they are.
    let _ = fsconfig_set_flag(fs.as_fd(), "noswap");
    fsconfig_create(fs.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOEXEC
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV;
    let mount = fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    let by_descriptors =
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount.as_fd(), "", on.as_fd(), "", by_descriptors)
}

/// Detaches every mount at or below a directory, whatever made it. What is mounted is asked of the kernel: a task may
/// have renamed the directory that a mount of ours sits on.
pub(crate) fn detach_below(top: &Path) -> Result<(), HostError> {
    for _ in 0..MOST_STACKED {
        let found = below(top)?;
        if found.is_empty() {
            return Ok(());
        }
        for point in found.iter().rev() {
            unmount(point, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
                .attempt(|| format!("unmount {}", point.display()))?;
        }
    }
    Err(io::Error::other("mounts keep appearing"))
        .attempt(|| format!("unmount everything below {}", top.display()))
}

/// Mounts stacked on one point go one a round; more rounds than this means that somebody mounts meanwhile.
const MOST_STACKED: usize = 64;

fn below(top: &Path) -> Result<Vec<PathBuf>, HostError> {
    let table =
        std::fs::read("/proc/self/mountinfo").attempt(|| "read /proc/self/mountinfo".to_owned())?;
    let mut points: Vec<PathBuf> = points(&table)
        .filter(|point| point.starts_with(top))
        .collect();
    // Mounts stacked on one point would each be unmounted at its name, the second time perhaps in vain.
    points.dedup();
    Ok(points)
}

/// The fifth field of each line of proc_pid_mountinfo(5).
fn points(table: &[u8]) -> impl Iterator<Item = PathBuf> {
    table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(|field| PathBuf::from(OsString::from_vec(unescape(field))))
}

/// Space, tab, newline and backslash stand there as three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = tail
            .get(..3)
            .filter(|_| byte == b'\\')
            .and_then(|octal| std::str::from_utf8(octal).ok());
        match digits.and_then(|octal| u8::from_str_radix(octal, 8).ok()) {
            Some(escaped) => {
                plain.push(escaped);
                rest = &tail[3..];
            }
            None => {
                plain.push(byte);
                rest = tail;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::dirs::ROOT;
    use crate::testing::{Scratch, root};

    #[test]
    fn mount_points_are_read_with_their_escapes() {
        let table = b"22 1 0:5 / /a\\040b rw - tmpfs x rw\n23 1 0:5 / /c rw - tmpfs x rw\n";
        let found: Vec<PathBuf> = points(table).collect();
        assert_eq!(found, [PathBuf::from("/a b"), PathBuf::from("/c")]);
    }

    #[test]
    fn memory_is_mounted_and_detached_also_when_its_directory_was_renamed() {
        if !root() {
            return;
        }
        let scratch = Scratch::new();
        let top = Dir::open(scratch.path()).unwrap();
        let parent = top.make("parent", 0o700, ROOT).unwrap();
        let dir = parent.make("s e", 0o700, ROOT).unwrap();
        memory(
            &dir,
            0o710,
            Owner {
                uid: 80001,
                gid: 80001,
            },
        )
        .unwrap();
        memory(&parent.child("s e").unwrap(), 0o710, ROOT).unwrap();
        std::fs::rename(scratch.path().join("parent"), scratch.path().join("moved")).unwrap();
        let listed = below(scratch.path()).unwrap();
        assert_eq!(listed, [scratch.path().join("moved/s e")]);
        detach_below(scratch.path()).unwrap();
        assert!(below(scratch.path()).unwrap().is_empty());
    }
}
