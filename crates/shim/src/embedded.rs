//! The image, in memory that nobody can write to.
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use rustix::fs::{MemfdFlags, SealFlags};

static IMAGE: &[u8] = include_bytes!(env!("ENCAMP_SHIM_IMAGE"));
static SEALED: OnceLock<OwnedFd> = OnceLock::new();

/// The sealed image, written once per process and shared by all it starts. Sealed, because a task that is root could otherwise
/// rewrite it through `/proc/<pid>/exe` and be run as us.
///
/// # Errors
/// memfd_create(2), write(2), fcntl(2).
pub(crate) fn image() -> io::Result<BorrowedFd<'static>> {
    if let Some(image) = SEALED.get() {
        return Ok(image.as_fd());
    }
    let image = seal(IMAGE)?;
    Ok(SEALED.get_or_init(|| image).as_fd())
}

fn seal(bytes: &[u8]) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // MFD_EXEC is of Linux 6.3; where vm.memfd_noexec asks for it, it must be said.
    let image = rustix::fs::memfd_create(c"encamp-shim", flags | MemfdFlags::EXEC)
        .or_else(|_| rustix::fs::memfd_create(c"encamp-shim", flags))?;
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = &rest[rustix::io::write(&image, rest)?..];
    }
    rustix::fs::fcntl_add_seals(
        &image,
        SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL,
    )?;
    Ok(image)
}
