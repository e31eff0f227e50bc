//! Device nodes of the host, told from everything else by descriptor.
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, Stat};

use crate::Error;
use crate::view::{Links, host};

/// A node that was found.
#[derive(Debug)]
pub(crate) struct Node {
    /// `O_PATH`.
    pub(crate) fd: OwnedFd,
    /// Numbers, mode, owner.
    pub(crate) stat: Stat,
    /// Character or block device.
    pub(crate) kind: FileType,
}

/// Finds a node. The last component is no symbolic link: where that leads may be another's choice tomorrow.
pub(crate) fn find(path: &Path) -> Result<Node, Error> {
    let failed = |e| Error::path("open the device", path, e);
    let unfit = |problem: &str| Error::Unfit {
        path: path.to_owned(),
        problem: problem.to_owned(),
    };
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(unfit("is not a device node"));
    };
    let parent = host(Links::OfRoot)?.resolve(parent).map_err(failed)?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(&parent.fd, name, flags, Mode::empty()).map_err(failed)?;
    let stat = rustix::fs::fstat(&fd).map_err(failed)?;
    match FileType::from_raw_mode(stat.st_mode) {
        kind @ (FileType::CharacterDevice | FileType::BlockDevice) => Ok(Node { fd, stat, kind }),
        FileType::Symlink => Err(unfit(
            "is a symbolic link, not a device node; name the node it leads to",
        )),
        _ => Err(unfit("is not a device node")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_nodes_are_found() {
        let found = find(Path::new("/dev/null")).unwrap();
        assert_eq!(found.kind, FileType::CharacterDevice);
        let told = |path: &str| find(Path::new(path)).unwrap_err().to_string();
        assert!(told("/dev/fd").contains("is a symbolic link"));
        assert_eq!(told("/etc/passwd"), "/etc/passwd is not a device node");
        assert_eq!(told("/"), "/ is not a device node");
        assert_eq!(told("/dev/missing"), "open the device /dev/missing");
    }
}
