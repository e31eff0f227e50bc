//! Writable layers over host directories: what is written stays in the scratch directory, the host's files are never touched.
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use crate::spec::MountFlags;
use crate::view::private_directory_at;
use crate::{Error, mountinfo, mounts};

/// The root-only directory below which layers and the root lie.
#[derive(Debug)]
pub(crate) struct Scratch {
    upper: OwnedFd,
    work: OwnedFd,
    /// What becomes `/`.
    pub(crate) root: OwnedFd,
}

/// What an entry became.
#[derive(Debug)]
pub(crate) enum Layer {
    /// Something to attach at a target.
    Mount(PathBuf, OwnedFd, FileType),
    /// A symbolic link to make at a target.
    Link(PathBuf, PathBuf),
}

impl Scratch {
    /// Opens or makes the directories. What an earlier run of the same process wrote is kept.
    pub(crate) fn open(path: &Path) -> Result<Scratch, Error> {
        let scratch = crate::view::private_directory(path)?;
        let open = |name: &str| {
            private_directory_at(scratch.as_fd(), Path::new(name))
                .map_err(|e| Error::path("make directory", path.join(name), e))
        };
        let (upper, work) = (open("upper")?, open("work")?);
        Ok(Scratch {
            upper,
            work,
            root: Self::root(scratch.as_fd(), path)?,
        })
    }

    /// The directory that becomes `/` is 0755, as a root directory is.
    fn root(scratch: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Error> {
        let path = path.join("root");
        let failed = |e| Error::path("make directory", &path, e);
        match rustix::fs::mkdirat(scratch, c"root", Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(failed(error)),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = rustix::fs::openat(scratch, c"root", flags, Mode::empty()).map_err(failed)?;
        rustix::fs::fchmod(&root, Mode::from_raw_mode(0o755)).map_err(failed)?;
        Ok(root)
    }

    /// The layers for one host path, its mount points included. `refusals` says where writes are not kept.
    pub(crate) fn layers(
        &self,
        host: &Path,
        target: &Path,
        flags: MountFlags,
        refusals: &mut Vec<String>,
    ) -> Result<Vec<Layer>, Error> {
        let stat = fs::symlink_metadata(host).map_err(|e| Error::path("look at", host, e))?;
        if stat.is_symlink() {
            let link = fs::read_link(host).map_err(|e| Error::path("read the link", host, e))?;
            return Ok(vec![Layer::Link(target.to_owned(), link)]);
        }
        let mut layers = vec![self.layer(host, target, flags, refusals)?];
        // An overlay shows what lies under a mount point, so each one below gets its own at the same place.
        for below in mountinfo::below(host)? {
            let Ok(relative) = below.strip_prefix(host) else {
                continue;
            };
            layers.push(self.layer(&below, &target.join(relative), flags, refusals)?);
        }
        Ok(layers)
    }

    fn layer(
        &self,
        host: &Path,
        target: &Path,
        flags: MountFlags,
        refusals: &mut Vec<String>,
    ) -> Result<Layer, Error> {
        let stat = fs::metadata(host).map_err(|e| Error::path("look at", host, e))?;
        if !stat.is_dir() {
            let read_only = MountFlags {
                read_only: true,
                ..flags
            };
            let (mount, kind) = mounts::bind(host, false, read_only)?;
            return Ok(Layer::Mount(target.to_owned(), mount, kind));
        }
        let lower = Lower {
            host,
            name: file_name(target),
            stat,
            flags,
        };
        let mount = match lower.overlay(self.upper.as_fd(), self.work.as_fd()) {
            Ok(mount) => mount,
            Err(error) => lower.fall_back(error, refusals)?,
        };
        Ok(Layer::Mount(target.to_owned(), mount, FileType::Directory))
    }
}

/// A host directory that gets a layer.
struct Lower<'a> {
    host: &'a Path,
    /// Of its own directories below upper and work.
    name: String,
    stat: fs::Metadata,
    flags: MountFlags,
}

impl Lower<'_> {
    /// Where the scratch directory's file system cannot hold an upper layer: one on tmpfs, and only then none.
    fn fall_back(&self, error: Errno, refusals: &mut Vec<String>) -> Result<OwnedFd, Error> {
        let shown = self.host.display();
        if let Ok(mount) = self.overlay_on_tmpfs() {
            refusals.push(format!(
                "writes below {shown} are lost at a restart: no upper layer on disk ({error})"
            ));
            return Ok(mount);
        }
        refusals.push(format!(
            "{shown} is read-only: no overlay can be made over it ({error})"
        ));
        let read_only = MountFlags {
            read_only: true,
            ..self.flags
        };
        mounts::bind(self.host, true, read_only).map(|(mount, _)| mount)
    }

    /// Overlayfs takes directories of the caller's own mount namespace only (of any other since Linux 6.15), so the tmpfs is attached
    /// in one that lives as long as a thread. The overlay keeps what it is made of.
    fn overlay_on_tmpfs(&self) -> Result<OwnedFd, Error> {
        let tmpfs = mounts::tmpfs(None, 0o700, MountFlags::default())?;
        let made = mounts::attached(tmpfs.as_fd(), || {
            let upper = private_directory_at(tmpfs.as_fd(), Path::new("upper"))?;
            let work = private_directory_at(tmpfs.as_fd(), Path::new("work"))?;
            Ok(self.overlay(upper.as_fd(), work.as_fd())?)
        });
        made.map_err(|e| Error::path("make an overlay over", self.host, e))
    }

    fn overlay(&self, upper: BorrowedFd<'_>, work: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
        let upper = upper_directory(upper, &self.name, &self.stat)?;
        forget_volatile(work, &self.name);
        let work = private_directory_at(work, Path::new(&self.name))?;
        mounts::overlay(self.host, upper.as_fd(), work.as_fd(), self.flags)
    }
}

/// An upper directory lends the merged one its owner and mode, so a new one copies those of the lower.
fn upper_directory(
    parent: BorrowedFd<'_>,
    name: &str,
    stat: &fs::Metadata,
) -> rustix::io::Result<OwnedFd> {
    let made = rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o700));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(parent, name, flags, Mode::empty());
    match made {
        Err(rustix::io::Errno::EXIST) => return open(),
        other => other?,
    }
    let upper = open()?;
    rustix::fs::fchown(
        &upper,
        Some(Uid::from_raw(stat.uid())),
        Some(Gid::from_raw(stat.gid())),
    )?;
    rustix::fs::fchmod(&upper, Mode::from_raw_mode(stat.mode() & 0o7777))?;
    Ok(upper)
}

/// A volatile overlay leaves a marker that forbids to use its upper layer again (overlayfs.rst, "Volatile mount"); here that is meant.
fn forget_volatile(work: BorrowedFd<'_>, name: &str) {
    let remove = |marker: &str, flags| {
        // There is none at the first start.
        let _ = rustix::fs::unlinkat(work, format!("{name}/work/incompat{marker}"), flags);
    };
    remove("/volatile/dirty", AtFlags::empty());
    remove("/volatile", AtFlags::REMOVEDIR);
    remove("", AtFlags::REMOVEDIR);
}

/// One file name for a path: `%` and `/` escaped.
fn file_name(target: &Path) -> String {
    let text = target.to_string_lossy();
    text.trim_start_matches('/')
        .replace('%', "%25")
        .replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_file_name_of_its_own() {
        let name = |path: &str| file_name(Path::new(path));
        assert_eq!(name("/usr"), "usr");
        assert_eq!(name("/usr/local/lib"), "usr%2Flocal%2Flib");
        assert_eq!(name("/usr%2Flocal"), "usr%252Flocal");
        assert_ne!(name("/usr/local"), name("/usr%2Flocal"));
    }
}
