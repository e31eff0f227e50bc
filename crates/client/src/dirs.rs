//! Directories made on a directory's descriptor, never along a path that somebody could redirect meanwhile.
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use crate::error::{Attempt, HostError};
use crate::ids;

const DIRECTORY: OFlags = OFlags::DIRECTORY
    .union(OFlags::CLOEXEC)
    .union(OFlags::RDONLY);

/// Whom a directory belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Root.
pub(crate) const ROOT: Owner = Owner { uid: 0, gid: 0 };

/// An open directory; the path is for messages and for those who need a path.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

impl Dir {
    /// Opens a directory by path, links followed: for directories that the operator names.
    pub(crate) fn open(path: &Path) -> Result<Dir, HostError> {
        let fd = fs::open(path, DIRECTORY, Mode::empty())
            .attempt(|| format!("open {}", path.display()))?;
        Ok(Dir {
            fd,
            path: path.to_owned(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The same directory once more, wherever its path leads by now.
    pub(crate) fn again(&self) -> Result<Dir, HostError> {
        let fd = self.fd.try_clone();
        let fd = fd.attempt(|| format!("open {}", self.path.display()))?;
        Ok(Dir {
            fd,
            path: self.path.clone(),
        })
    }

    /// Makes a directory that must not exist. Mode and owner are set on its descriptor, so no umask matters.
    pub(crate) fn make(&self, name: &str, mode: u32, owner: Owner) -> Result<Dir, HostError> {
        let path = self.path.join(name);
        let what = || format!("make the directory {}", path.display());
        fs::mkdirat(&self.fd, name, Mode::RWXU).attempt(what)?;
        let made = self.child(name)?;
        fs::fchown(
            &made.fd,
            Some(Uid::from_raw(owner.uid)),
            Some(Gid::from_raw(owner.gid)),
        )
        .attempt(what)?;
        fs::fchmod(&made.fd, Mode::from_raw_mode(mode)).attempt(what)?;
        Ok(made)
    }

    /// Makes a directory of root's, or takes the one that is there.
    pub(crate) fn ensure(&self, name: &str, mode: u32) -> Result<Dir, HostError> {
        match self.make(name, mode, ROOT) {
            Err(error) if is(&error, Errno::EXIST) => self.child(name),
            other => other,
        }
    }

    /// Opens a directory below, following no link.
    pub(crate) fn child(&self, name: &str) -> Result<Dir, HostError> {
        let path = self.path.join(name);
        let fd = fs::openat(&self.fd, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
            .attempt(|| format!("open {}", path.display()))?;
        Ok(Dir { fd, path })
    }

    /// Whether it belongs to root and nobody else can write to it.
    pub(crate) fn is_roots_alone(&self) -> Result<bool, HostError> {
        let stat = fs::fstat(&self.fd).attempt(|| format!("look at {}", self.path.display()))?;
        Ok(stat.st_uid == 0 && stat.st_mode & 0o022 == 0)
    }

    /// Makes a FIFO that only root may open.
    pub(crate) fn make_fifo(&self, name: &str) -> Result<PathBuf, HostError> {
        let path = self.path.join(name);
        fs::mknodat(&self.fd, name, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .attempt(|| format!("make the fifo {}", path.display()))?;
        Ok(path)
    }

    /// Opens a file below, following no link, making it if asked to.
    pub(crate) fn file(&self, name: &str, flags: OFlags) -> Result<File, HostError> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)
            .attempt(|| format!("open {}", self.path.join(name).display()))?;
        Ok(File::from(fd))
    }

    /// Reads a small file below.
    pub(crate) fn read(&self, name: &str) -> Result<String, HostError> {
        let mut text = String::new();
        let mut file = self.file(name, OFlags::RDONLY)?;
        file.read_to_string(&mut text)
            .attempt(|| format!("read {}", self.path.join(name).display()))?;
        Ok(text)
    }

    /// Replaces a file below as a whole: readers see the old text or the new one.
    pub(crate) fn replace(&self, name: &str, text: &str) -> Result<(), HostError> {
        put(self, name, |file| file.write_all(text.as_bytes()))
            .attempt(|| format!("write {}", self.path.join(name).display()))
    }

    /// Removes a file below; one that is gone is fine.
    pub(crate) fn unlink(&self, name: &str) -> Result<(), HostError> {
        match fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            other => other.attempt(|| format!("remove {}", self.path.join(name).display())),
        }
    }

    /// The names in it, in no order.
    pub(crate) fn names(&self) -> Result<Vec<String>, HostError> {
        let what = || format!("list {}", self.path.display());
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&self.fd).attempt(what)? {
            let entry = entry.attempt(what)?;
            names.extend(
                entry
                    .file_name()
                    .to_str()
                    .ok()
                    .filter(|name| !matches!(*name, "." | ".."))
                    .map(str::to_owned),
            );
        }
        Ok(names)
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Puts a file in the place of whatever has its name, as a whole: whoever reads sees the old one or the new one. A link goes
/// away itself; over a directory nothing is put. `fill` writes it and says whose it is.
pub(crate) fn put(
    dir: impl AsFd,
    name: impl rustix::path::Arg,
    fill: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let dir = dir.as_fd();
    let fresh = format!(
        ".encamp-{:08x}",
        ids::random().map_err(|error| error.source)?
    );
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = fs::openat(dir, &fresh, flags, Mode::RUSR | Mode::WUSR)?;
    let written = fill(&mut File::from(fd));
    let put = written.and_then(|()| Ok(fs::renameat(dir, &fresh, dir, name)?));
    if put.is_err() {
        let _ = fs::unlinkat(dir, &fresh, AtFlags::empty());
    }
    put
}

/// Whether this is the reason.
pub(crate) fn is(error: &HostError, errno: Errno) -> bool {
    error.source.raw_os_error() == Some(errno.raw_os_error())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;
    use crate::testing::{Scratch, me};

    #[test]
    fn the_mode_does_not_depend_on_the_umask() {
        let scratch = Scratch::new();
        let before = rustix::process::umask(Mode::from_raw_mode(0o077));
        let made = Dir::open(scratch.path())
            .unwrap()
            .make("x", 0o1777, me())
            .unwrap();
        rustix::process::umask(before);
        assert_eq!(
            std::fs::metadata(made.path()).unwrap().mode() & 0o7777,
            0o1777
        );
    }

    #[test]
    fn a_link_in_the_place_of_a_directory_is_refused() {
        let scratch = Scratch::new();
        symlink("/etc", scratch.path().join("x")).unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        assert!(is(&dir.make("x", 0o700, me()).unwrap_err(), Errno::EXIST));
        assert!(dir.ensure("x", 0o700).is_err());
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let scratch = Scratch::new();
        let dir = Dir::open(scratch.path()).unwrap();
        dir.replace("f", "one, longer").unwrap();
        // What somebody who was killed has left of an earlier try.
        symlink("/etc/passwd", scratch.path().join("f.new")).unwrap();
        dir.replace("f", "two").unwrap();
        assert_eq!(dir.read("f").unwrap(), "two");
        dir.unlink("f.new").unwrap();
        assert_eq!(dir.names().unwrap(), ["f"]);
    }

    #[test]
    fn a_file_that_is_not_put_leaves_nothing() {
        let scratch = Scratch::new();
        let dir = Dir::open(scratch.path()).unwrap();
        std::fs::create_dir(scratch.path().join("d")).unwrap();
        assert!(put(&dir, "d", |_| Ok(())).is_err());
        assert!(put(&dir, "f", |_| Err(Errno::IO.into())).is_err());
        assert_eq!(dir.names().unwrap(), ["d"]);
        let longest = "x".repeat(255);
        put(&dir, &longest, |file| file.write_all(b"x")).unwrap();
        assert_eq!(dir.read(&longest).unwrap(), "x");
    }
}
