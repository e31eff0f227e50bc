//! Device nodes of the host: what they are, and which lie below a directory of `/dev`.
use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use cgroup::DeviceKind;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};

const DEV: &str = "/dev";
/// Directories in directories of `/dev`.
const DEEPEST: usize = 8;
const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// What a node leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) kind: DeviceKind,
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

/// What a path names.
#[derive(Debug)]
pub(crate) enum Named {
    Node(Node),
    Directory,
    Other,
}

/// Looks at what is there now; symbolic links are followed.
pub(crate) fn look(path: &Path) -> rustix::io::Result<Named> {
    let fd = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let stat = rustix::fs::fstat(fd)?;
    Ok(match (node(&stat), kind(&stat)) {
        (Some(node), _) => Named::Node(node),
        (None, FileType::Directory) => Named::Directory,
        (None, _) => Named::Other,
    })
}

/// All nodes below a directory that is `/dev`, lies below it, or is `/`. Elsewhere nodes are no part of what a directory is for. Not what is mounted
/// below `/dev` (shm, mqueue, pts): those are no places for the host's nodes, and anybody writes there.
pub(crate) fn below(directory: &Path) -> Vec<Node> {
    let mut nodes = Vec::new();
    let real = std::fs::canonicalize(directory).unwrap_or_default();
    let top = match real == Path::new("/") {
        true => PathBuf::from(DEV),
        false => real,
    };
    let device = rustix::fs::stat(DEV).map(|stat| stat.st_dev);
    if let (true, Ok(device)) = (top.starts_with(DEV), device)
        && let Ok(top) = rustix::fs::openat(CWD, &top, DIRECTORY, Mode::empty())
    {
        walk(&top, device, DEEPEST, &mut nodes);
    }
    nodes
}

/// What vanishes meanwhile is passed over.
fn walk(directory: &OwnedFd, device: u64, depth: usize, nodes: &mut Vec<Node>) {
    let is_here = rustix::fs::fstat(directory).is_ok_and(|stat| stat.st_dev == device);
    let Ok(entries) = Dir::read_from(directory) else {
        return;
    };
    for entry in entries.flatten().filter(|_| is_here && depth > 0) {
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            meet(directory, entry.file_name(), device, depth, nodes);
        }
    }
}

/// No link is followed: what it leads to is met by its own name, or lies elsewhere.
fn meet(directory: &OwnedFd, name: &CStr, device: u64, depth: usize, nodes: &mut Vec<Node>) {
    let Ok(stat) = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else {
        return;
    };
    nodes.extend(node(&stat));
    let flags = DIRECTORY | OFlags::NOFOLLOW;
    if kind(&stat) == FileType::Directory
        && let Ok(next) = rustix::fs::openat(directory, name, flags, Mode::empty())
    {
        walk(&next, device, depth - 1, nodes);
    }
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn node(stat: &Stat) -> Option<Node> {
    let kind = match kind(stat) {
        FileType::CharacterDevice => DeviceKind::Char,
        FileType::BlockDevice => DeviceKind::Block,
        _ => return None,
    };
    Some(Node {
        kind,
        major: rustix::fs::major(stat.st_rdev),
        minor: rustix::fs::minor(stat.st_rdev),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NULL: Node = Node {
        kind: DeviceKind::Char,
        major: 1,
        minor: 3,
    };

    #[test]
    fn a_path_names_a_node_a_directory_or_something_else() {
        assert!(matches!(look(Path::new("/dev/null")).unwrap(), Named::Node(node) if node == NULL));
        assert!(matches!(look(Path::new("/dev")).unwrap(), Named::Directory));
        assert!(matches!(
            look(Path::new("/etc/passwd")).unwrap(),
            Named::Other
        ));
        assert!(look(Path::new("/dev/no such device")).is_err());
    }

    #[test]
    fn nodes_are_met_below_dev_and_nowhere_else() {
        assert!(below(Path::new("/dev")).contains(&NULL));
        assert_eq!(below(Path::new("/")), below(Path::new("/dev")));
        assert!(below(Path::new("/etc")).is_empty());
        assert!(below(Path::new("/dev/null")).is_empty());
        assert!(below(Path::new("/nowhere")).is_empty());
    }
}
