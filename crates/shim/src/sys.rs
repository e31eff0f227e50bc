//! The raw calls of this crate: starting the image, and taking over descriptors by number.
//!
//! # Safety
//! One call per block; the entry of a vfork child runs in its parent's memory while the parent sleeps, and does nothing but calls
//! that are async-signal-safe.
#![allow(unsafe_code, reason = "the one file of this crate with raw calls")]

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

#[cfg(not(feature = "image"))]
pub(crate) use starting::start;

#[cfg(not(feature = "image"))]
mod starting {
    use std::ffi::CString;
    use std::io;
    use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

    /// What the child of [`start`] needs; it shares memory with its parent and writes `errno` there.
    struct Start<'a> {
        image: RawFd,
        argv: &'a [*const libc::c_char],
        stdio: [RawFd; 3],
        inherit: &'a [RawFd],
        errno: i32,
    }

    /// Runs `image` with an empty environment as a new child: descriptors 0, 1 and 2 from `stdio`, `inherit` under their own numbers, in a pid
    /// namespace of its own when asked. Returns once it has been executed.
    ///
    /// # Errors
    /// clone(2), execveat(2).
    pub(crate) fn start(
        image: BorrowedFd<'_>,
        argv: &[CString],
        stdio: [BorrowedFd<'_>; 3],
        inherit: &[RawFd],
        pid_namespace: bool,
    ) -> io::Result<OwnedFd> {
        let mut pointers: Vec<*const libc::c_char> = argv.iter().map(|arg| arg.as_ptr()).collect();
        pointers.push(std::ptr::null());
        let stdio = stdio.map(|fd| fd.as_raw_fd());
        let mut start = Start {
            image: image.as_raw_fd(),
            argv: &pointers,
            stdio,
            inherit,
            errno: 0,
        };
        let flags = if pid_namespace { libc::CLONE_NEWPID } else { 0 };
        // A handler of ours must not run in the child: it would change this memory.
        let mask = sandbox::sys::set_signal_mask(u64::MAX)?;
        // SAFETY: `enter` only makes async-signal-safe calls until it executes or exits, and `start` is what it expects.
        let result = unsafe { spawn_vfork(flags, enter, (&raw mut start).cast()) };
        sandbox::sys::set_signal_mask(mask)?;
        let (_, pidfd) = result?;
        if start.errno == 0 {
            return Ok(pidfd);
        }
        let _ = sandbox::reap(std::os::fd::AsFd::as_fd(&pidfd));
        Err(io::Error::from_raw_os_error(start.errno))
    }

    /// What a new process does first when it shares memory with its parent until it executes.
    type Entry = extern "C" fn(*mut libc::c_void) -> libc::c_int;

    /// clone(2) with `CLONE_VM | CLONE_VFORK`, the way posix_spawn(3) does it: no page table is copied and the caller sleeps until
    /// the child has executed or exited. Returns the pid and a pidfd.
    ///
    /// # Safety
    /// `entry` runs in this very memory: it must not unwind, allocate, lock or return before it executes or exits; `arg` must be what it expects.
    unsafe fn spawn_vfork(
        flags: libc::c_int,
        entry: Entry,
        arg: *mut libc::c_void,
    ) -> io::Result<(i32, OwnedFd)> {
        const STACK: usize = 64 * 1024;
        let mut stack = vec![0u128; STACK / 16];
        let mut pidfd: libc::c_int = -1;
        let flags = flags | libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
        let top = stack.as_mut_ptr_range().end;
        // SAFETY: the stack is 64 KiB, 16-aligned and lives until the child is done with it, because CLONE_VFORK suspends us;
        // the caller vouches for `entry` and `arg`; the pidfd is stored where parent_tid points.
        let pid = unsafe { libc::clone(entry, top.cast(), flags, arg, &raw mut pidfd) };
        check(pid)?;
        // SAFETY: clone succeeded with CLONE_PIDFD, so this is a new descriptor that nothing else owns.
        Ok((pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))
    }

    extern "C" fn enter(start: *mut libc::c_void) -> libc::c_int {
        // SAFETY: the parent passes a `Start` that lives until this child has executed or exited, and sleeps meanwhile.
        let start = unsafe { &mut *start.cast::<Start<'_>>() };
        start.errno = match execute(start) {
            Ok(()) => 0,
            Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
        };
        sandbox::sys::exit_now(127)
    }

    fn execute(start: &Start<'_>) -> io::Result<()> {
        // What our own caller left open is no business of the image, and none of what it starts.
        sandbox::sys::close_on_exec_from(3)?;
        for fd in start.inherit {
            // SAFETY: takes no pointers.
            check(unsafe { libc::fcntl(*fd, libc::F_SETFD, 0) })?;
        }
        for (number, fd) in start.stdio.iter().enumerate() {
            // SAFETY: takes no pointers; no inherited descriptor is below 3.
            check(unsafe { libc::dup2(*fd, number as RawFd) })?;
        }
        let empty: [*const libc::c_char; 1] = [std::ptr::null()];
        // SAFETY: the path is a NUL-terminated literal, both vectors end with a null pointer and live in the sleeping parent.
        let result = unsafe {
            libc::syscall(
                libc::SYS_execveat,
                start.image,
                c"".as_ptr(),
                start.argv.as_ptr(),
                empty.as_ptr(),
                libc::AT_EMPTY_PATH,
            )
        };
        check(result as libc::c_int)
    }

    fn check(result: libc::c_int) -> io::Result<()> {
        if result < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }
}

/// Takes over the descriptors that the orders of this very process name; called once, at its start.
pub fn inherit(fd: RawFd) -> OwnedFd {
    // SAFETY: orders name only descriptors that this process inherited over its exec, each once, and nothing has taken them before.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Borrows a descriptor that the orders name and that this process keeps open for its whole life.
pub fn held<'a>(fd: RawFd) -> BorrowedFd<'a> {
    // SAFETY: orders name only descriptors that are open; those that are kept are never closed.
    unsafe { BorrowedFd::borrow_raw(fd) }
}
