//! Terminals for a process and for commands entered beside it: ptys of its own devpts, never one of the launcher's.
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

/// A new pty, near end and far end: from the directory of a devpts, by descriptor, so that nothing the process can rename is on the
/// way. The far end belongs to `uid`.
///
/// # Errors
/// openat2(2), ioctl_tty(2), fchown(2).
pub fn open(terminals: BorrowedFd<'_>, uid: u32) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let near = rustix::fs::openat2(terminals, c"ptmx", flags, Mode::empty(), resolve)?;
    rustix::pty::unlockpt(&near)?;
    let open = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let far = rustix::pty::ioctl_tiocgptpeer(&near, open)?;
    // The group tty stays, so that write(1) works as usual.
    rustix::fs::fchown(&far, Some(Uid::from_raw(uid)), None::<Gid>)?;
    Ok((near, far))
}

/// Sets its size; either end will do.
///
/// # Errors
/// `ENOTTY`.
pub fn resize(terminal: BorrowedFd<'_>, rows: u16, columns: u16) -> io::Result<()> {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    Ok(rustix::termios::tcsetwinsize(terminal, size)?)
}
