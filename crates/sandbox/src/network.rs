//! network_namespaces(7): one that is made to be joined later, and one that is there and shall be joined.
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::thread::UnshareFlags;

use crate::view::{Links, host, path_of};
use crate::{Error, loopback, sys};

/// Makes a network namespace with nothing but a loopback device, which is up, and binds it to a new file at a path, as
/// ip-netns(8) does: it lives as long as that mount. The path must be one that only root can change.
///
/// # Errors
/// The file is there, or the kernel refuses.
pub fn make(path: &Path) -> Result<(), Error> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::RUSR)
        .map_err(|e| Error::path("make the file for a network namespace", path, e))?;
    let made = std::thread::scope(|scope| {
        // A thread of its own: only the namespace of this one changes, and nobody else runs in it.
        scope.spawn(|| in_this_thread(path)).join()
    });
    made.unwrap_or_else(|_| Err(io::Error::other("the thread that makes it has panicked")))
        .map_err(|source| Error::Call {
            act: format!("make a network namespace at {}", path.display()),
            source,
        })
}

fn in_this_thread(path: &Path) -> io::Result<()> {
    sys::unshare(UnshareFlags::NEWNET)?;
    loopback::up()?;
    Ok(rustix::mount::mount_bind("/proc/thread-self/ns/net", path)?)
}

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
