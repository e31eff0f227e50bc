//! Root's part: what a fetcher brought is moved to where the task finds it. Everything is reached by descriptors, and no link is
//! followed on either side: the one side a stranger wrote, the other a task may be writing.
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{self, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::order::OUT;
use super::session::Site;
use crate::dirs::{self, Dir, Owner};
use crate::place::{OURS, Place, Root};

/// What the fetcher allows, and room for the part that was taken out of it.
const DEPTH: usize = 128;
const DIRECTORY: OFlags = OFlags::DIRECTORY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW);
const MODE: u32 = 0o777;

/// What is there, looked at without following it.
struct Found {
    fd: OwnedFd,
    kind: FileType,
    mode: u32,
}

/// Puts what the fetcher left in its staging to where it is wanted.
pub(super) fn place(staging: &Dir, alloc: &Dir, site: &Site, target: &Place) -> Result<(), String> {
    let base = match target.root {
        Root::Task => alloc.child(&site.views.task),
        Root::Shared => alloc.child("alloc"),
    };
    let base = base.map_err(|error| format!("{error}: {}", error.source))?;
    let mover = Mover { owner: site.owner };
    let out = CString::new(OUT).unwrap_or_default();
    let found = look(staging.as_fd(), &out).map_err(|errno| failed(OsStr::new(OUT), errno))?;
    if found.kind == FileType::Directory {
        if target.root == Root::Task && target.below.is_empty() {
            refuse_ours(&found.fd)?;
        }
        let to = mover.way(base.as_fd(), &target.below)?;
        return mover.directory(&found.fd, &to, 0);
    }
    let Some((name, above)) = target.below.split_last() else {
        return Err("its destination is a directory".to_owned());
    };
    let to = mover.way(base.as_fd(), above)?;
    let (from, name) = (staging.as_fd(), c_name(name)?);
    mover.file(found, (from, &out), (to.as_fd(), &name))
}

/// At the top of the task's directory root works in some of its own.
fn refuse_ours(found: &OwnedFd) -> Result<(), String> {
    let names = names(found).map_err(|errno| failed(OsStr::new(OUT), errno))?;
    let is_ours = |name: &&CString| OURS.iter().any(|ours| ours.as_bytes() == name.to_bytes());
    match names.iter().find(is_ours) {
        Some(name) => Err(format!(
            "cannot put {name:?} in place: the directory of that name is none of the task's"
        )),
        None => Ok(()),
    }
}

/// Moves, and gives everything to its owner.
struct Mover {
    owner: Owner,
}

impl Mover {
    /// Opens a directory below, making what is missing on the way.
    fn way(&self, base: BorrowedFd<'_>, path: &[String]) -> Result<OwnedFd, String> {
        let mut at = base
            .try_clone_to_owned()
            .map_err(|error| format!("cannot open its destination: {error}"))?;
        for name in path {
            at = self.step(&at, &c_name(name)?, 0o755)?;
        }
        Ok(at)
    }

    /// One directory, made if it is missing; one that is there stays as it is.
    fn step(&self, at: &OwnedFd, name: &CStr, mode: u32) -> Result<OwnedFd, String> {
        let failed = |errno| in_the_way(name, errno);
        let is_new = match fs::mkdirat(at, name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(failed(errno)),
        };
        let next = fs::openat(at, name, DIRECTORY, Mode::empty()).map_err(failed)?;
        if is_new {
            self.give(&next, mode).map_err(failed)?;
        }
        Ok(next)
    }

    fn directory(&self, from: &OwnedFd, to: &OwnedFd, depth: usize) -> Result<(), String> {
        if depth > DEPTH {
            return Err("it is nested too deeply".to_owned());
        }
        for name in names(from).map_err(|errno| failed(OsStr::new(OUT), errno))? {
            let found = look(from.as_fd(), &name).map_err(|errno| in_the_way(&name, errno))?;
            if found.kind == FileType::Directory {
                let to = self.step(to, &name, found.mode)?;
                self.directory(&found.fd, &to, depth + 1)?;
            } else {
                self.file(found, (from.as_fd(), &name), (to.as_fd(), &name))?;
            }
        }
        Ok(())
    }

    /// Puts a file in place of whatever is there under its name, unless that is a directory.
    fn file(
        &self,
        found: Found,
        from: (BorrowedFd<'_>, &CStr),
        to: (BorrowedFd<'_>, &CStr),
    ) -> Result<(), String> {
        let failed = |errno| in_the_way(to.1, errno);
        if found.kind != FileType::RegularFile {
            return Err(format!("{:?} is no file", to.1));
        }
        self.give(&found.fd, found.mode).map_err(failed)?;
        match fs::renameat(from.0, from.1, to.0, to.1) {
            Err(Errno::XDEV) => self.copy(found, to),
            other => other.map_err(failed),
        }
    }

    /// For `secrets`, which lies in memory.
    fn copy(&self, found: Found, to: (BorrowedFd<'_>, &CStr)) -> Result<(), String> {
        let copied = dirs::put(to.0, to.1, |new| {
            pour(&mut File::from(found.fd), new)?;
            Ok(self.give(&*new, found.mode)?)
        });
        copied.map_err(|error| match error.raw_os_error() {
            Some(errno) => in_the_way(to.1, Errno::from_raw_os_error(errno)),
            None => format!("cannot put {:?} in place: {error}", to.1),
        })
    }

    fn give(&self, fd: impl AsFd, mode: u32) -> rustix::io::Result<()> {
        let fd = fd.as_fd();
        let owner = (Uid::from_raw(self.owner.uid), Gid::from_raw(self.owner.gid));
        fs::fchown(fd, Some(owner.0), Some(owner.1))?;
        fs::fchmod(fd, Mode::from_raw_mode(mode & MODE))
    }
}

fn pour(from: &mut File, to: &mut File) -> std::io::Result<()> {
    let mut chunk = vec![0; 128 << 10];
    loop {
        match from.read(&mut chunk)? {
            0 => return Ok(()),
            got => to.write_all(&chunk[..got])?,
        }
    }
}

/// Opens a file or a directory; anything else, and a file with a second name, is refused.
fn look(at: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<Found> {
    // Not blocking: a pipe could be there, whoever put it.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = fs::openat(at, name, flags, Mode::empty())?;
    let stat = fs::fstat(&fd)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    let is_plain = match kind {
        FileType::Directory => true,
        FileType::RegularFile => stat.st_nlink == 1,
        _ => false,
    };
    if !is_plain {
        return Err(Errno::INVAL);
    }
    Ok(Found {
        fd,
        kind,
        mode: stat.st_mode & MODE,
    })
}

fn names(directory: &OwnedFd) -> rustix::io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in fs::Dir::read_from(directory)? {
        let name = entry?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name);
        }
    }
    Ok(names)
}

fn c_name(name: &str) -> Result<CString, String> {
    CString::new(name).map_err(|_| format!("{name:?} has the character NUL in it"))
}

fn in_the_way(name: &CStr, errno: Errno) -> String {
    failed(OsStr::from_bytes(name.to_bytes()), errno)
}

fn failed(name: &OsStr, errno: Errno) -> String {
    let why = match errno {
        Errno::LOOP | Errno::NOTDIR => "a link or a file is in the way".to_owned(),
        Errno::ISDIR | Errno::EXIST => "a directory is in the way".to_owned(),
        other => std::io::Error::from(other).to_string(),
    };
    format!("cannot put {name:?} in place: {why}")
}
