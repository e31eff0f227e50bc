//! The files of templates. Root reads and writes here where tasks can rewrite every name, so nothing is opened by path:
//! each step is taken on the descriptor of the one before.
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{self, FallocateFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;

use super::go::MAX_OUTPUT;
use crate::dirs::{self, Dir, ROOT};
use crate::error::{Attempt, HostError};
use crate::place::{Place, Root};

/// The two directories, open.
#[derive(Debug)]
pub(crate) struct Roots {
    pub(crate) task: Dir,
    pub(crate) shared: Dir,
}

/// How a file is to look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) mode: u32,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    inode: u64,
    size: i64,
    changed: (i64, u64),
    modified: (i64, u64),
}

const DIRECTORY_MODE: u32 = 0o755;

impl Roots {
    fn of(&self, root: Root) -> &Dir {
        match root {
            Root::Task => &self.task,
            Root::Shared => &self.shared,
        }
    }

    /// Opens what a path leads to, links followed as long as they stay below.
    fn open(&self, place: &Place) -> Result<File, String> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        // Nobody can make us wait for the other end of a fifo.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let (start, below) = self.nearest(place)?;
        let path = below.join("/");
        let opened = fs::openat2(start.as_fd(), path.as_str(), flags, Mode::empty(), resolve);
        let file = opened.map_err(|errno| match errno {
            Errno::XDEV => "a link leads outside of the task's directory".to_owned(),
            errno => std::io::Error::from(errno).to_string(),
        })?;
        let stat = fs::fstat(&file).map_err(|errno| std::io::Error::from(errno).to_string())?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err("it is not a regular file".to_owned());
        }
        Ok(File::from(file))
    }

    /// The directory from which a link may not lead away: `local` and `secrets` each keep their links to themselves.
    fn nearest<'p>(&self, place: &'p Place) -> Result<(Dir, &'p [String]), String> {
        let root = self.of(place.root);
        let (start, below) = match place.below.split_first() {
            Some((first, below)) if !below.is_empty() => (root.child(first), below),
            Some(_) => (root.again(), place.below.as_slice()),
            None => return Err("it is a directory".to_owned()),
        };
        start
            .map(|start| (start, below))
            .map_err(|error| error.source.to_string())
    }

    /// Reads a file as a whole, and says which state of it that was.
    pub(crate) fn read(&self, place: &Place) -> Result<(Vec<u8>, Version), String> {
        let file = self.open(place)?;
        let version = version(file.as_fd())?;
        let mut bytes = Vec::new();
        let mut most = file.take(MAX_OUTPUT as u64 + 1);
        most.read_to_end(&mut bytes)
            .map_err(|error| error.to_string())?;
        if bytes.len() > MAX_OUTPUT {
            return Err("it is larger than 16 MiB".to_owned());
        }
        Ok((bytes, version))
    }

    /// The state of a file; none when there is none.
    pub(crate) fn version(&self, place: &Place) -> Option<Version> {
        version(self.open(place).ok()?.as_fd()).ok()
    }

    /// Puts a file in its place as a whole. The directories on the way are made as root's, and none of them may be a link.
    pub(crate) fn write(&self, place: &Place, bytes: &[u8], look: Look) -> Result<(), HostError> {
        let root = self.of(place.root);
        let Some((name, above)) = place.below.split_last() else {
            return Err(is_directory(root));
        };
        let mut dir = root.again()?;
        for part in above {
            dir = dir.ensure(part, DIRECTORY_MODE)?;
        }
        if !place.is_mounted_whole() && in_place(&dir, name, bytes, look) {
            return Ok(());
        }
        let put = dirs::put(&dir, name, |file| fill(file, bytes, look));
        put.attempt(|| format!("write {}", dir.path().join(name).display()))
    }
}

fn is_directory(dir: &Dir) -> HostError {
    HostError {
        act: format!("write {}", dir.path().display()),
        source: Errno::ISDIR.into(),
    }
}

fn version(file: BorrowedFd<'_>) -> Result<Version, String> {
    let stat = fs::fstat(file).map_err(|errno| std::io::Error::from(errno).to_string())?;
    Ok(Version {
        inode: stat.st_ino,
        size: stat.st_size,
        changed: (stat.st_ctime, stat.st_ctime_nsec),
        modified: (stat.st_mtime, stat.st_mtime_nsec),
    })
}

fn fill(file: &mut File, bytes: &[u8], look: Look) -> std::io::Result<()> {
    file.write_all(bytes)?;
    let owner = (
        look.uid
            .map(Uid::from_raw)
            .or(Some(Uid::from_raw(ROOT.uid))),
        look.gid
            .map(Gid::from_raw)
            .or(Some(Gid::from_raw(ROOT.gid))),
    );
    fs::fchown(&*file, owner.0, owner.1)?;
    fs::fchmod(&*file, Mode::from_raw_mode(look.mode))?;
    Ok(())
}

/// Writes over the file that is there, since the task may see that very file by a mount of its own, which a new one in
/// its place would not change. Only where it is the one that was put there: nobody else may write to it or has a name of it.
fn in_place(dir: &Dir, name: &str, bytes: &[u8], look: Look) -> bool {
    let Ok(mut file) = dir.file(name, OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY) else {
        return false;
    };
    let Ok(stat) = fs::fstat(&file) else {
        return false;
    };
    let is_ours = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && stat.st_nlink == 1
        && stat.st_uid == look.uid.unwrap_or(ROOT.uid);
    // The old text stands until there is room for the new one, and goes when that is there.
    is_ours && has_room(&file, bytes) && fill(&mut file, bytes, look).is_ok() && {
        file.set_len(bytes.len() as u64).is_ok()
    }
}

/// Takes the room that a file needs for its new text. A file system that cannot tell does so when it is written.
fn has_room(file: &File, bytes: &[u8]) -> bool {
    let length = bytes.len().max(1) as u64;
    !matches!(
        fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, length),
        Err(Errno::NOSPC | Errno::DQUOT | Errno::FBIG)
    )
}
