//! network_namespaces(7): the one that is there and shall be joined.
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::view::{Links, host, path_of};
use crate::{Error, sys};

/// Opens a network namespace by the path that something like ip-netns(8) has bound it to.
pub(crate) fn open(path: &Path) -> Result<OwnedFd, Error> {
    let failed = |e| Error::path("open the network namespace", path, e);
    let unfit = || Error::Unfit {
        path: path.to_owned(),
        problem: "is not a network namespace".to_owned(),
    };
    let found = host(Links::OfRoot)?.resolve(path).map_err(failed)?;
    // Told before it is opened: to open a FIFO or a device can do more than tell.
    if rustix::fs::fstatfs(&found.fd).map_err(failed)?.f_type != libc::NSFS_MAGIC {
        return Err(unfit());
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let namespace = rustix::fs::open(path_of(found.fd.as_fd()), flags, Mode::empty());
    let namespace = namespace.map_err(failed)?;
    match sys::namespace_kind(namespace.as_fd()) {
        Ok(libc::CLONE_NEWNET) => Ok(namespace),
        _ => Err(unfit()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_a_network_namespace_is_one() {
        assert!(
            open(Path::new("/proc/self/ns/net")).is_err(),
            "a link of procfs"
        );
        for path in ["/etc/passwd", "/proc", "/dev/null"] {
            let told = open(Path::new(path)).unwrap_err().to_string();
            assert_eq!(told, format!("{path} is not a network namespace"));
        }
        let told = open(Path::new("/run/netns/missing")).unwrap_err();
        assert_eq!(
            told.to_string(),
            "open the network namespace /run/netns/missing"
        );
    }
}
