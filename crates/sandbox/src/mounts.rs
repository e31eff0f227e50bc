//! Detached mounts: made and given their flags before the clone, attached inside by descriptor.
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
};
use rustix::thread::UnshareFlags;

use crate::spec::{MountFlags, Propagation};
use crate::view::{Found, Links, host, open_path, path_of};
use crate::{Error, node, sys};

/// A copy of a host directory's or file's mount, with its flags.
pub(crate) fn bind(
    path: &Path,
    recursive: bool,
    flags: MountFlags,
) -> Result<(OwnedFd, FileType), Error> {
    let found = host(Links::OfRoot)?
        .resolve(path)
        .map_err(|e| Error::path("open", path, e))?;
    let tree =
        clone_tree(&found, recursive).map_err(|e| Error::path("clone the mount of", path, e))?;
    give_flags(tree.as_fd(), recursive, flags)
        .map_err(|e| Error::path("set the flags of the mount of", path, e))?;
    Ok((tree, FileType::from_raw_mode(found.stat.st_mode)))
}

/// A host's device node, by descriptor.
pub(crate) fn node(path: &Path, flags: MountFlags) -> Result<(OwnedFd, FileType), Error> {
    let node = node::find(path)?;
    let flags = MountFlags {
        read_only: true,
        nodev: false,
        ..flags
    };
    let mount =
        clone(node.fd.as_fd(), flags).map_err(|e| Error::path("clone the mount of", path, e))?;
    Ok((mount, node.kind))
}

/// A copy of the mount of what is open, from there on, with its flags.
pub(crate) fn clone(open: BorrowedFd<'_>, flags: MountFlags) -> std::io::Result<OwnedFd> {
    let how = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    let mount = rustix::mount::open_tree(open, c"", how)?;
    give_flags(mount.as_fd(), false, flags)?;
    Ok(mount)
}

fn clone_tree(found: &Found, recursive: bool) -> rustix::io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    flags.set(OpenTreeFlags::AT_RECURSIVE, recursive);
    rustix::mount::open_tree(&found.fd, c"", flags)
}

fn give_flags(tree: BorrowedFd<'_>, recursive: bool, flags: MountFlags) -> std::io::Result<()> {
    let propagation = match flags.propagation {
        Propagation::Private => libc::MS_PRIVATE,
        Propagation::Slave => libc::MS_SLAVE,
        // A clone is in its source's peer group already; of a private source it becomes the first member of a new one.
        Propagation::Shared => libc::MS_SHARED,
    };
    sys::mount_setattr(
        tree,
        c"",
        recursive,
        attributes(flags).bits().into(),
        propagation,
    )
}

/// `MOUNT_ATTR_*` of our flags.
pub(crate) fn attributes(flags: MountFlags) -> MountAttrFlags {
    let mut attributes = MountAttrFlags::empty();
    attributes.set(MountAttrFlags::MOUNT_ATTR_RDONLY, flags.read_only);
    attributes.set(MountAttrFlags::MOUNT_ATTR_NOSUID, flags.nosuid);
    attributes.set(MountAttrFlags::MOUNT_ATTR_NODEV, flags.nodev);
    attributes.set(MountAttrFlags::MOUNT_ATTR_NOEXEC, flags.noexec);
    attributes
}

/// One option of a new file system; `None` as value: a flag.
pub(crate) type Opt<'a> = (&'a str, Option<String>);

/// A new file system, mounted nowhere yet.
pub(crate) fn filesystem(
    name: &str,
    options: &[Opt<'_>],
    flags: MountAttrFlags,
) -> rustix::io::Result<OwnedFd> {
    let fs = rustix::mount::fsopen(name, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        match value {
            Some(value) => rustix::mount::fsconfig_set_string(fs.as_fd(), *key, value.as_str())?,
            None => rustix::mount::fsconfig_set_flag(fs.as_fd(), *key)?,
        }
    }
    rustix::mount::fsconfig_create(fs.as_fd())?;
    rustix::mount::fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags)
}

/// A tmpfs.
pub(crate) fn tmpfs(
    size_bytes: Option<u64>,
    mode: u32,
    flags: MountFlags,
) -> Result<OwnedFd, Error> {
    let mut options = vec![("mode", Some(format!("{mode:o}")))];
    if let Some(size) = size_bytes {
        options.push(("size", Some(size.to_string())));
    }
    filesystem("tmpfs", &options, attributes(flags)).map_err(|e| Error::call("make a tmpfs", e))
}

/// An overlay. Its directories are given by descriptor: option strings are short (255 bytes) and paths may change hands.
pub(crate) fn overlay(
    lower: &Path,
    upper: BorrowedFd<'_>,
    work: BorrowedFd<'_>,
    flags: MountFlags,
) -> rustix::io::Result<OwnedFd> {
    let lower = open_path(lower)?;
    let options = [
        ("lowerdir", Some(path_of(lower.as_fd()))),
        ("upperdir", Some(path_of(upper))),
        ("workdir", Some(path_of(work))),
        // Unmounting would sync the whole upper file system, and what a power cut does to scratch does not matter.
        ("volatile", None),
    ];
    match filesystem("overlay", &options, attributes(flags)) {
        // `volatile` is of Linux 5.10, but some distributions carry overlayfs without it.
        Err(rustix::io::Errno::INVAL) => filesystem("overlay", &options[..3], attributes(flags)),
        other => other,
    }
}

/// Acts in a thread with a mount namespace of its own, in which a mount is attached: what the kernel refuses to do with one that is
/// attached nowhere.
pub(crate) fn attached<T: Send>(
    mount: BorrowedFd<'_>,
    act: impl FnOnce() -> std::io::Result<T> + Send,
) -> std::io::Result<T> {
    let attached = || {
        attach_in_a_namespace_of_this_thread(mount)?;
        act()
    };
    let made = std::thread::scope(|scope| scope.spawn(attached).join());
    // reason: a thread that panicked has said so already; its panic is ours.
    made.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Gives the calling thread a mount namespace of its own and attaches a mount over its root. Paths still lead from the old root, as
/// nothing looks for what lies over a root itself (path_resolution(7)).
fn attach_in_a_namespace_of_this_thread(mount: BorrowedFd<'_>) -> rustix::io::Result<()> {
    sys::unshare(UnshareFlags::NEWNS)?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change(c"/", private)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(mount, c"", CWD, c"/", flags)
}
