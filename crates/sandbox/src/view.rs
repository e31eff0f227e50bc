//! The tree as the process will see it, before it exists: the root and what will be attached, by descriptors.
//!
//! Paths are walked by hand, one component after the other, because a link may lead from one mount into another and absolute links
//! start at the root that is to be. No descriptor ever leaves the tree.
use std::cell::Cell;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::Error;

/// Links followed before a path counts as a loop, as in the kernel (path_resolution(7)).
const LINKS: usize = 40;

/// The tree.
#[derive(Debug)]
pub(crate) struct View {
    root: OwnedFd,
    /// Later ones lie over earlier ones. `None`: a file system that only the process will have.
    mounts: Vec<(PathBuf, Option<OwnedFd>)>,
    links: Links,
    /// The root is our own directory: what is missing may be made anywhere in it.
    ours: bool,
}

/// Which symbolic links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// All: they lead nowhere but around the tree that is being walked.
    All,
    /// Root's only: what another user can put on the way leads root astray.
    OfRoot,
}

/// What a path leads to.
#[derive(Debug)]
pub(crate) struct Found {
    /// Without symbolic links.
    pub(crate) path: PathBuf,
    /// `O_PATH`.
    pub(crate) fd: OwnedFd,
    /// Its attributes.
    pub(crate) stat: Stat,
    /// A symbolic link of something attached was followed on the way; those of a root of our own are ours.
    pub(crate) linked: bool,
}

impl Found {
    pub(crate) fn is(&self, kind: FileType) -> bool {
        FileType::from_raw_mode(self.stat.st_mode) == kind
    }
}

/// Opens the host's tree for looking things up in it.
pub(crate) fn host(links: Links) -> Result<View, Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root =
        rustix::fs::open("/", flags, Mode::empty()).map_err(|e| Error::path("open", "/", e))?;
    Ok(View {
        root,
        mounts: vec![],
        links,
        ours: false,
    })
}

/// Where a path of the host leads, without symbolic links. Of those on its way only root's are followed.
///
/// # Errors
/// What the kernel says of a path that leads nowhere; `ELOOP` too for a link that is another user's.
pub fn real(path: &Path) -> std::io::Result<PathBuf> {
    let view = host(Links::OfRoot).map_err(std::io::Error::other)?;
    Ok(view.resolve(path)?.path)
}

impl View {
    /// A tree on a root directory of our own.
    pub(crate) fn new(root: OwnedFd) -> View {
        View {
            root,
            mounts: vec![],
            links: Links::All,
            ours: true,
        }
    }

    /// Adds what will be attached at `target` (resolved).
    pub(crate) fn attach(
        &mut self,
        target: PathBuf,
        mount: Option<BorrowedFd<'_>>,
    ) -> Result<(), Error> {
        let mount = mount.map(|mount| mount.try_clone_to_owned()).transpose();
        let mount = mount.map_err(|e| Error::call("duplicate a descriptor", e))?;
        self.mounts.push((target, mount));
        Ok(())
    }

    /// Whether a path lies on something attached here, not on the root.
    fn covers(&self, path: &Path) -> bool {
        self.mounts
            .iter()
            .any(|(target, mount)| mount.is_some() && path.starts_with(target))
    }

    /// Where a path leads. `NOENT` also for what lies on a file system that does not exist yet.
    pub(crate) fn resolve(&self, path: &Path) -> Result<Found, Errno> {
        // Nearly every path has no link on its way: one call instead of a walk.
        if self.mounts.is_empty()
            && let Ok(fd) = self.open(path)
        {
            let stat = rustix::fs::fstat(&fd)?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
                return Ok(Found {
                    path: path.to_owned(),
                    fd,
                    stat,
                    linked: false,
                });
            }
        }
        self.walk(path)
    }

    /// What is there, if anything is. That it cannot be looked at for want of descriptors or memory is an error: a caller that goes on without would
    /// leave out a cover, or make what exists.
    pub(crate) fn find(&self, path: &Path) -> Result<Option<Found>, Error> {
        match self.resolve(path) {
            Ok(found) => Ok(Some(found)),
            Err(errno @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => {
                Err(Error::path("open", path, errno))
            }
            Err(_) => Ok(None),
        }
    }

    fn walk(&self, path: &Path) -> Result<Found, Errno> {
        let linked = Cell::new(false);
        let path = follow(path, |path| {
            let target = self.link(path)?;
            linked.set(linked.get() || (target.is_some() && self.covers(path)));
            Ok(target)
        })?;
        let fd = self.open(&path)?;
        let stat = rustix::fs::fstat(&fd)?;
        Ok(Found {
            path,
            fd,
            stat,
            linked: linked.get(),
        })
    }

    /// Where a path leads when what is missing of it will be there: a link may lead to what does not exist yet.
    fn settle(&self, path: &Path) -> Result<PathBuf, Errno> {
        follow(path, |path| match self.link(path) {
            Err(Errno::NOENT) => Ok(None),
            other => other,
        })
    }

    /// Where a link leads that leads to nothing.
    pub(crate) fn dangling(&self, path: &Path) -> Option<PathBuf> {
        let parent = self.resolve(path.parent()?).ok()?;
        self.link(&parent.path.join(path.file_name()?)).ok()?
    }

    /// The target of the link at `path`, if it is one.
    fn link(&self, path: &Path) -> Result<Option<PathBuf>, Errno> {
        let fd = self.open(path)?;
        let stat = rustix::fs::fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            return Ok(None);
        }
        if self.links == Links::OfRoot && stat.st_uid != 0 {
            return Err(Errno::LOOP);
        }
        // Links of procfs lead to what whoever walks has open: never what is meant.
        if rustix::fs::fstatfs(&fd)?.f_type == rustix::fs::PROC_SUPER_MAGIC {
            return Err(Errno::NOENT);
        }
        let target = rustix::fs::readlinkat(&fd, c"", vec![])?;
        Ok(Some(PathBuf::from(OsString::from_vec(target.into_bytes()))))
    }

    /// Opens a path that has no links but perhaps the last component, from the mount it lies on.
    fn open(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let mount = self
            .mounts
            .iter()
            .rev()
            .filter(|(target, _)| path.starts_with(target));
        // The longest wins; of equally long ones the later, which `rev` has put first.
        let over = mount.reduce(|best, next| {
            if next.0.as_os_str().len() > best.0.as_os_str().len() {
                next
            } else {
                best
            }
        });
        let (base, relative) = match over {
            Some((target, Some(mount))) => {
                (mount.as_fd(), path.strip_prefix(target).unwrap_or(path))
            }
            Some((_, None)) => return Err(Errno::NOENT),
            None => (self.root.as_fd(), path.strip_prefix("/").unwrap_or(path)),
        };
        if relative.as_os_str().is_empty() {
            return rustix::io::fcntl_dupfd_cloexec(base, 0);
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(base, relative, flags, Mode::empty(), resolve)
    }

    /// Where a path leads, with what is missing of it made: directories 0755, the last component as `kind` says.
    pub(crate) fn make(&self, path: &Path, kind: FileType) -> Result<Found, Error> {
        if let Some(found) = self.find(path)? {
            return Ok(found);
        }
        let path = &self
            .settle(path)
            .map_err(|e| Error::path("follow the links of", path, e))?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Error::Unfit {
                path: path.to_owned(),
                problem: "is no place for a mount".to_owned(),
            });
        };
        let parent = self.make(parent, FileType::Directory)?;
        // A link may have led from something attached here back to the host's tree, where nothing is ever made.
        if !self.ours && !self.covers(&parent.path) {
            return Err(Error::Unfit {
                path: path.to_owned(),
                problem: "would have to be made on the host".to_owned(),
            });
        }
        make_point(parent.fd.as_fd(), Path::new(name), kind)
            .map_err(|e| Error::path("make the mount point", path, e))?;
        self.resolve(&parent.path.join(name))
            .map_err(|e| Error::path("open the mount point", path, e))
    }
}

/// mkdir(2) and open(2) apply the umask of whoever launches, which is nobody's business inside. The mode is set by descriptor: by
/// now somebody else may have put a link under that name.
fn make_point(parent: BorrowedFd<'_>, name: &Path, kind: FileType) -> Result<(), Errno> {
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if kind == FileType::Directory {
        let mode = Mode::from_raw_mode(0o755);
        rustix::fs::mkdirat(parent, name, mode)?;
        let flags = flags | OFlags::RDONLY | OFlags::DIRECTORY;
        let made = rustix::fs::openat(parent, name, flags, Mode::empty())?;
        return rustix::fs::fchmod(&made, mode);
    }
    let mode = Mode::from_raw_mode(0o644);
    let flags = flags | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let made = rustix::fs::openat(parent, name, flags, mode)?;
    rustix::fs::fchmod(&made, mode)
}

/// Walks a path from the root, with what `link` says of each component.
fn follow(
    path: &Path,
    mut link: impl FnMut(&Path) -> Result<Option<PathBuf>, Errno>,
) -> Result<PathBuf, Errno> {
    let mut rest: VecDeque<OsString> = parts(path).collect();
    let mut here = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&part);
        let Some(target) = link(&next)? else {
            here = next;
            continue;
        };
        links += 1;
        if links > LINKS {
            return Err(Errno::LOOP);
        }
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
            rest.push_front(part);
        }
    }
    Ok(here)
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}

/// A path that names this descriptor, for interfaces that only take paths.
pub(crate) fn path_of(fd: BorrowedFd<'_>) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Opens or makes a directory that only root may enter, below a parent that others may write to.
pub(crate) fn private_directory(path: &Path) -> Result<OwnedFd, Error> {
    let unfit = |problem: &str| Error::Unfit {
        path: path.to_owned(),
        problem: problem.to_owned(),
    };
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(unfit("has no parent"));
    };
    let parent = host(Links::OfRoot)?
        .resolve(parent)
        .map_err(|e| Error::path("open", parent, e))?;
    private_directory_at(parent.fd.as_fd(), Path::new(name))
        .map_err(|e| Error::path("make directory", path, e))
}

/// The same below an open directory. One that is there must be root's and closed to others, or it is refused.
pub(crate) fn private_directory_at(parent: BorrowedFd<'_>, name: &Path) -> Result<OwnedFd, Errno> {
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&fd)?;
    let own = rustix::process::geteuid().as_raw();
    if stat.st_uid != own || stat.st_mode & 0o077 != 0 {
        return Err(Errno::PERM);
    }
    Ok(fd)
}

/// Opens a directory of the host for use as the lower side of something.
pub(crate) fn open_path(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::os::unix::fs::symlink;

    fn scene(name: &str) -> (PathBuf, View) {
        let dir = std::env::temp_dir().join(format!("encamp-view-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(dir.join("usr/bin")).unwrap();
        std::fs::write(dir.join("usr/bin/tool"), "").unwrap();
        symlink("usr/bin", dir.join("bin")).unwrap();
        symlink("/usr/bin/tool", dir.join("absolute")).unwrap();
        symlink("../../../../../../etc/passwd", dir.join("outward")).unwrap();
        symlink("loop", dir.join("loop")).unwrap();
        let root = open_path(&dir).unwrap();
        (dir, View::new(root))
    }

    #[test]
    fn links_lead_around_the_tree_and_never_out_of_it() {
        let (dir, view) = scene("links");
        assert_eq!(
            view.resolve(Path::new("/bin/tool")).unwrap().path,
            Path::new("/usr/bin/tool")
        );
        assert_eq!(
            view.resolve(Path::new("/absolute")).unwrap().path,
            Path::new("/usr/bin/tool")
        );
        assert_eq!(
            view.resolve(Path::new("/outward")).unwrap_err(),
            Errno::NOENT
        );
        assert_eq!(
            view.resolve(Path::new("/../../usr/bin")).unwrap().path,
            Path::new("/usr/bin")
        );
        assert_eq!(view.resolve(Path::new("/loop")).unwrap_err(), Errno::LOOP);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_mount_covers_what_lies_under_it() {
        let (dir, mut view) = scene("mounts");
        let other = dir.join("other");
        std::fs::create_dir_all(&other).unwrap();
        std::fs::write(other.join("inside"), "").unwrap();
        view.attach("/usr/bin".into(), Some(open_path(&other).unwrap().as_fd()))
            .unwrap();
        assert!(view.resolve(Path::new("/bin/inside")).is_ok());
        assert_eq!(
            view.resolve(Path::new("/bin/tool")).unwrap_err(),
            Errno::NOENT
        );
        view.attach("/proc".into(), None).unwrap();
        assert_eq!(
            view.resolve(Path::new("/proc/self")).unwrap_err(),
            Errno::NOENT
        );
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn missing_mount_points_are_made_as_asked() {
        let (dir, view) = scene("make");
        assert!(
            view.make(Path::new("/a/b"), FileType::Directory)
                .unwrap()
                .is(FileType::Directory)
        );
        assert!(
            view.make(Path::new("/bin/c"), FileType::RegularFile)
                .unwrap()
                .is(FileType::RegularFile)
        );
        assert!(dir.join("usr/bin/c").is_file());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_link_to_what_is_missing_leads_to_where_it_is_made() {
        let (dir, view) = scene("dangling");
        symlink("../run/resolver/stub", dir.join("usr/conf")).unwrap();
        let made = view.make(Path::new("/usr/conf"), FileType::RegularFile);
        assert_eq!(made.unwrap().path, Path::new("/run/resolver/stub"));
        assert!(dir.join("run/resolver/stub").is_file());
        assert!(
            view.make(Path::new("/loop"), FileType::RegularFile)
                .is_err()
        );
        std::fs::remove_dir_all(dir).unwrap();
    }
}
