//! A minimal `/dev`: six nodes, the usual links, a devpts instance of its own, and what devices were asked for.
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Gid, Mode, Stat, Uid};
use rustix::io::Errno;

use crate::node::{self, Node};
use crate::spec::{Device, MountFlags};
use crate::{Error, mounts};

/// Name, major, minor (Documentation/admin-guide/devices.txt).
const NODES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];
const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
];
const DIRECTORIES: [&str; 3] = ["pts", "shm", "mqueue"];

/// The tmpfs with everything in it but devpts.
pub(crate) fn tree(devices: &[Device], flags: MountFlags) -> Result<OwnedFd, Error> {
    let dev = mounts::tmpfs(None, 0o755, flags)?;
    for (name, major, minor) in NODES {
        make(
            &dev,
            name,
            FileType::CharacterDevice,
            rustix::fs::makedev(major, minor),
            0o666,
        )
        .map_err(|e| Error::path("make the device node", format!("/dev/{name}"), e))?;
    }
    for (name, target) in LINKS {
        rustix::fs::symlinkat(target, &dev, name)
            .map_err(|e| Error::path("make the link", format!("/dev/{name}"), e))?;
    }
    for name in DIRECTORIES {
        directory(dev.as_fd(), Path::new(name))
            .map_err(|e| Error::path("make directory", format!("/dev/{name}"), e))?;
    }
    for device in devices {
        copy(&dev, device)?;
    }
    Ok(dev)
}

fn make(
    dev: &OwnedFd,
    name: &str,
    kind: FileType,
    number: u64,
    mode: u32,
) -> rustix::io::Result<()> {
    rustix::fs::mknodat(dev, name, kind, Mode::from_raw_mode(mode), number)?;
    // mknod(2) applies the umask.
    rustix::fs::chmodat(dev, name, Mode::from_raw_mode(mode), AtFlags::empty())
}

/// A node that copies one of the host's: type, numbers, mode and owner.
fn copy(dev: &OwnedFd, device: &Device) -> Result<(), Error> {
    let unfit = |path: &Path, problem: &str| Error::Unfit {
        path: path.to_owned(),
        problem: problem.to_owned(),
    };
    let name = device
        .target
        .strip_prefix("/dev")
        .map_err(|_| unfit(&device.target, "is not below /dev"))?;
    let Node { stat, kind, .. } = node::find(&device.path)?;
    if let Some(parent) = name.parent() {
        make_directories(dev, parent)
            .map_err(|e| Error::path("make directory", Path::new("/dev").join(parent), e))?;
    }
    let text = name.to_string_lossy();
    let made = make(dev, &text, kind, stat.st_rdev, stat.st_mode & 0o777).and_then(|()| {
        let owner = (
            Some(Uid::from_raw(stat.st_uid)),
            Some(Gid::from_raw(stat.st_gid)),
        );
        rustix::fs::chownat(dev, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)
    });
    match made {
        // One of the six, or asked for twice.
        Err(Errno::EXIST) if same(dev, name, &stat) => Ok(()),
        other => other.map_err(|e| Error::path("make the device node", &device.target, e)),
    }
}

/// Whether what has this name is a node with the same numbers already.
fn same(dev: &OwnedFd, name: &Path, wanted: &Stat) -> bool {
    let there = rustix::fs::statat(dev, name, AtFlags::SYMLINK_NOFOLLOW);
    let facts = |stat: &Stat| (FileType::from_raw_mode(stat.st_mode), stat.st_rdev);
    there.is_ok_and(|there| facts(&there) == facts(wanted))
}

/// 0755, whatever the umask.
fn directory(dev: BorrowedFd<'_>, name: &Path) -> rustix::io::Result<()> {
    let mode = Mode::from_raw_mode(0o755);
    rustix::fs::mkdirat(dev, name, mode)?;
    rustix::fs::chmodat(dev, name, mode, AtFlags::empty())
}

fn make_directories(dev: &OwnedFd, path: &Path) -> rustix::io::Result<()> {
    for ancestor in path
        .ancestors()
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .filter(|a| !a.as_os_str().is_empty())
    {
        match directory(dev.as_fd(), ancestor) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A devpts instance of its own: no terminal of the host is in it.
pub(crate) fn devpts() -> Result<OwnedFd, Error> {
    let options = [
        ("newinstance", None),
        ("ptmxmode", Some("0666".to_owned())),
        ("mode", Some("0620".to_owned())),
        // 5 is the group tty of every distribution and of login(1)'s expectations.
        ("gid", Some("5".to_owned())),
    ];
    let flags = mounts::attributes(MountFlags {
        nosuid: true,
        noexec: true,
        ..MountFlags::default()
    });
    mounts::filesystem("devpts", &options, flags)
        .map_err(|e| Error::call("make a devpts instance", e))
}
