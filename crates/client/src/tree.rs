//! Removal of a tree that a stranger has filled: no link is followed, and neither depth nor number of entries costs
//! more than a few descriptors and a fixed stack.
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, Mode, OFlags, RenameFlags, openat, renameat_with, statat, unlinkat,
};
use rustix::io::{Errno, Result};

const DIRECTORY: OFlags = OFlags::DIRECTORY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW);

/// Removes `name` below `parent` with all that is in it; what is gone already is fine.
pub(crate) fn remove(parent: BorrowedFd<'_>, name: &str) -> Result<()> {
    Removal::default().remove(parent, name)
}

/// The same, and says how many bytes on disk that gave back.
pub(crate) fn remove_counting(parent: impl AsFd, name: &str) -> Result<u64> {
    let mut removal = Removal {
        freed: Some(0),
        ..Removal::default()
    };
    removal.remove(parent.as_fd(), name)?;
    Ok(removal.freed.unwrap_or(0))
}

/// One removal on its way.
#[derive(Debug, Default)]
struct Removal {
    /// Directories that were lifted.
    moved: u64,
    /// Bytes, where somebody wants to know.
    freed: Option<u64>,
}

impl Removal {
    fn remove(&mut self, parent: BorrowedFd<'_>, name: &str) -> Result<()> {
        let top = match openat(parent, name, DIRECTORY, Mode::empty()) {
            Ok(top) => top,
            Err(Errno::NOENT) => return Ok(()),
            Err(Errno::NOTDIR | Errno::LOOP) => return unlinkat(parent, name, AtFlags::empty()),
            Err(error) => return Err(error),
        };
        while self.empty_once(&top)? {}
        unlinkat(parent, name, AtFlags::REMOVEDIR)
    }

    /// One pass: files go, directories are flattened into `top`. True while there was something.
    fn empty_once(&mut self, top: &OwnedFd) -> Result<bool> {
        let mut found = false;
        for entry in Dir::read_from(top)? {
            let entry = entry?;
            if !is_dot(entry.file_name()) {
                found = true;
                if !self.unlink_file(top, entry.file_name())? {
                    self.flatten(top, entry.file_name())?;
                }
            }
        }
        Ok(found)
    }

    /// Lifts the directories of `name` up into `top`, so that nothing is ever deeper than two, and removes it.
    fn flatten(&mut self, top: &OwnedFd, name: &CStr) -> Result<()> {
        let dir = openat(top, name, DIRECTORY, Mode::empty())?;
        for entry in Dir::read_from(&dir)? {
            let entry = entry?;
            if !is_dot(entry.file_name()) && !self.unlink_file(&dir, entry.file_name())? {
                lift(&dir, entry.file_name(), top, &mut self.moved)?;
            }
        }
        match unlinkat(top, name, AtFlags::REMOVEDIR) {
            // A listing may miss entries of a directory that changes meanwhile: the next pass finds them.
            Err(Errno::NOTEMPTY) => Ok(()),
            other => other,
        }
    }

    /// False when it is a directory.
    fn unlink_file(&mut self, dir: &OwnedFd, name: &CStr) -> Result<bool> {
        let bytes = self.freed.map(|_| bytes_of(dir, name));
        match unlinkat(dir, name, AtFlags::empty()) {
            Ok(()) => {
                self.freed = self.freed.zip(bytes).map(|(freed, bytes)| freed + bytes);
                Ok(true)
            }
            Err(Errno::NOENT) => Ok(true),
            Err(Errno::ISDIR) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// What goes with a file's last name, in blocks as du(1) counts them.
fn bytes_of(dir: &OwnedFd, name: &CStr) -> u64 {
    let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
    let blocks = stat.map_or(0, |stat| {
        if stat.st_nlink == 1 {
            stat.st_blocks
        } else {
            0
        }
    });
    u64::try_from(blocks).unwrap_or(0) * 512
}

fn lift(dir: &OwnedFd, name: &CStr, top: &OwnedFd, moved: &mut u64) -> Result<()> {
    loop {
        *moved += 1;
        match renameat_with(
            dir,
            name,
            top,
            format!(".removed-{moved}"),
            RenameFlags::NOREPLACE,
        ) {
            Err(Errno::EXIST) => {}
            other => return other,
        }
    }
}

fn is_dot(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::fd::AsFd;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::testing::{Scratch, me};

    #[test]
    fn a_tree_deeper_than_the_descriptor_limit_goes() {
        let scratch = Scratch::new();
        let outer = crate::dirs::Dir::open(scratch.path()).unwrap();
        let mut dir = outer.make("tree", 0o700, me()).unwrap();
        for _ in 0..5000 {
            dir = dir.make("d", 0o700, me()).unwrap();
        }
        remove(outer.as_fd(), "tree").unwrap();
        assert!(outer.names().unwrap().is_empty());
    }

    #[test]
    fn links_are_removed_and_not_followed() {
        let scratch = Scratch::new();
        let outside = scratch.path().join("outside");
        std::fs::create_dir_all(outside.join("kept")).unwrap();
        let tree = scratch.path().join("tree");
        std::fs::create_dir_all(tree.join("a/b")).unwrap();
        symlink(&outside, tree.join("a/link")).unwrap();
        symlink(&outside, tree.join("a/b/.removed-1")).unwrap();
        std::fs::write(tree.join("a/b/file"), "x").unwrap();
        let outer = crate::dirs::Dir::open(scratch.path()).unwrap();
        remove(outer.as_fd(), "tree").unwrap();
        assert_eq!(outer.names().unwrap(), ["outside"]);
        assert!(outside.join("kept").exists());
    }

    #[test]
    fn what_is_gone_or_a_link_itself_is_fine() {
        let scratch = Scratch::new();
        symlink("/etc", scratch.path().join("link")).unwrap();
        let outer = crate::dirs::Dir::open(scratch.path()).unwrap();
        remove(outer.as_fd(), "nothing").unwrap();
        remove(outer.as_fd(), "link").unwrap();
        assert!(outer.names().unwrap().is_empty());
    }
}
