//! Small files of our own making, as mounts: no path of anybody's is involved, and nothing is left on a disk.
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use crate::spec::MountFlags;
use crate::{Error, block, mounts};

/// A mount of one root-owned file, read-only.
pub(crate) fn mount(contents: &str, mode: u32) -> Result<OwnedFd, Error> {
    let flags = MountFlags {
        nosuid: true,
        nodev: true,
        noexec: true,
        ..MountFlags::default()
    };
    let tmpfs = mounts::tmpfs(None, 0o755, flags)?;
    write(&tmpfs, contents, mode).map_err(|e| Error::call("write a file of our own", e))?;
    let read_only = MountFlags {
        read_only: true,
        ..flags
    };
    // Before Linux 6.15 nothing can be cloned of a mount that is attached nowhere (open_tree(2)).
    let cloned = mounts::attached(tmpfs.as_fd(), || {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&tmpfs, NAME, flags, Mode::empty())?;
        mounts::clone(file.as_fd(), read_only)
    });
    cloned.map_err(|e| Error::call("mount a file of our own", e))
}

/// In its file system, where nobody sees it.
const NAME: &str = "file";

fn write(tmpfs: &OwnedFd, contents: &str, mode: u32) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::openat(tmpfs, NAME, flags, Mode::empty())?;
    block::write_whole(&file, contents.as_bytes())?;
    // open(2) applies the umask.
    Ok(rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::view::path_of;

    #[test]
    fn the_file_is_there_as_asked_and_cannot_be_written() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let mount = mount("text\n", 0o640).unwrap();
        let stat = rustix::fs::fstat(&mount).unwrap();
        assert_eq!(
            (stat.st_mode & 0o7777, stat.st_uid, stat.st_nlink),
            (0o640, 0, 1)
        );
        let path = path_of(mount.as_fd());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "text\n");
        let refused = std::fs::write(&path, "x").unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EROFS));
    }
}
