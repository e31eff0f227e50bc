//! Every raw system call of this crate: what rustix lacks, as functions of the same name.
//!
//! # Safety
//! Each block makes one call. Pointers point at values that live until the call returns, because they are borrowed by the
//! caller of the function; no call here keeps a pointer beyond its return, except `execve`, which does not return.
#![allow(unsafe_code, reason = "the one file of this crate with raw calls")]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::thread::UnshareFlags;

use crate::seccomp::Instruction;

/// `CLONE_INTO_CGROUP`; libc's constant is truncated to zero on some targets.
pub const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// What clone3(2) shall do.
#[derive(Debug, Clone, Copy)]
pub struct CloneArgs {
    /// `CLONE_*`; `CLONE_PIDFD` is added.
    pub flags: u64,
    /// The cgroup directory of `CLONE_INTO_CGROUP`.
    pub cgroup: Option<RawFd>,
}

/// Both sides of a clone.
#[derive(Debug)]
pub enum Cloned {
    /// In the new process.
    Child,
    /// In the caller: the child's pid in the caller's namespace and its pidfd.
    Parent(i32, OwnedFd),
}

/// clone3(2) like fork(2), with a pidfd.
///
/// # Safety
/// The caller must be single-threaded, or the child must do nothing but async-signal-safe calls until it executes or exits.
///
/// # Errors
/// Those of clone3(2).
pub unsafe fn clone3(args: CloneArgs) -> io::Result<Cloned> {
    let mut pidfd: libc::c_int = -1;
    let mut raw = libc::clone_args {
        flags: args.flags | libc::CLONE_PIDFD as u64,
        pidfd: (&raw mut pidfd) as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: libc::SIGCHLD as u64,
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: 0,
    };
    if let Some(cgroup) = args.cgroup {
        raw.flags |= CLONE_INTO_CGROUP;
        raw.cgroup = cgroup as u64;
    }
    // SAFETY: `raw` is a whole clone_args of the size passed; stack 0 means the child continues on a copy of this stack.
    let pid = check(unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw mut raw,
            size_of::<libc::clone_args>(),
        )
    })?;
    if pid == 0 {
        return Ok(Cloned::Child);
    }
    // SAFETY: clone3 succeeded with CLONE_PIDFD, so the kernel stored a new descriptor that nothing else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Cloned::Parent(pid as i32, pidfd))
}

/// clone(2) like [`clone3`], on a kernel without that or behind a filter that hides it. There is no way into a cgroup.
///
/// # Safety
/// As [`clone3`].
///
/// # Errors
/// Those of clone(2).
pub unsafe fn clone(flags: u64) -> io::Result<Cloned> {
    let mut pidfd: libc::c_int = -1;
    let flags = flags | libc::CLONE_PIDFD as u64 | libc::SIGCHLD as u64;
    // SAFETY: stack 0 means the child continues on a copy of this stack; the pidfd is stored where the third argument, parent_tid on every
    // architecture, points; the two that architectures order differently are both 0.
    let pid =
        check(unsafe { libc::syscall(libc::SYS_clone, flags, 0usize, &raw mut pidfd, 0, 0) })?;
    if pid == 0 {
        return Ok(Cloned::Child);
    }
    // SAFETY: clone succeeded with CLONE_PIDFD, so the kernel stored a new descriptor that nothing else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Cloned::Parent(pid as i32, pidfd))
}

/// close_range(2) from `first` to the end with `CLOSE_RANGE_CLOEXEC`: they go away at exec, the error pipe among them.
pub fn close_on_exec_from(first: RawFd) -> io::Result<()> {
    close_range(first, RawFd::MAX, libc::CLOSE_RANGE_CLOEXEC)
}

/// close(2) of every descriptor above 2 but these, in a child that ends by `exit_now`: after a clone both sides own a copy of each.
pub fn close_all_but(mut keep: [RawFd; 2]) -> io::Result<()> {
    keep.sort_unstable();
    let mut first = 3;
    for kept in keep {
        if first < kept {
            close_range(first, kept - 1, 0)?;
        }
        first = kept + 1;
    }
    close_range(first, RawFd::MAX, 0)
}

fn close_range(first: RawFd, last: RawFd, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: takes no pointers; whoever owns what is closed here never runs in this process again.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) }).map(drop)
}

/// Whether the kernel knows a system call, tried with a descriptor and pointers that cannot be. Not for calls that this would end or change
/// something with.
pub fn is_there(number: libc::c_long) -> bool {
    const NONE: libc::c_long = -1;
    // SAFETY: as a pointer the first is an address of the kernel, the others are null or sizes of 0, so nothing of ours is read or written;
    // as a descriptor the first is none.
    let result = unsafe { libc::syscall(number, NONE, 0, 0, 0, 0) };
    check(result).err().and_then(|error| error.raw_os_error()) != Some(libc::ENOSYS)
}

/// mount_setattr(2) on `path` relative to `dir`, with `AT_RECURSIVE` when asked.
pub fn mount_setattr(
    dir: BorrowedFd<'_>,
    path: &CStr,
    recursive: bool,
    set: u64,
    propagation: u64,
) -> io::Result<()> {
    let attr = libc::mount_attr {
        attr_set: set,
        attr_clr: 0,
        propagation,
        userns_fd: 0,
    };
    let empty = if path.is_empty() {
        libc::AT_EMPTY_PATH
    } else {
        0
    };
    let deep = if recursive { libc::AT_RECURSIVE } else { 0 };
    let flags = (libc::AT_SYMLINK_NOFOLLOW | empty | deep) as libc::c_uint;
    let (call, size) = (libc::SYS_mount_setattr, size_of::<libc::mount_attr>());
    let (dir, path) = (dir.as_raw_fd(), path.as_ptr());
    // SAFETY: `path` is NUL-terminated and `attr` is a whole mount_attr of the size passed.
    check(unsafe { libc::syscall(call, dir, path, flags, &raw const attr, size) }).map(drop)
}

/// pivot_root(2) with old and new root both the working directory (man page, NOTES: `pivot_root(".", ".")`).
pub fn pivot_root_here() -> io::Result<()> {
    // SAFETY: both arguments are the NUL-terminated literal ".".
    check(unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) }).map(drop)
}

/// landlock_create_ruleset(2) asked for the ABI version.
pub fn landlock_abi() -> io::Result<u32> {
    const LANDLOCK_CREATE_RULESET_VERSION: libc::c_uint = 1;
    let (call, none) = (libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>());
    // SAFETY: a null attribute of size 0 is what the version query takes.
    let abi = unsafe { libc::syscall(call, none, 0usize, LANDLOCK_CREATE_RULESET_VERSION) };
    check(abi).map(|abi| abi as u32)
}

/// landlock_add_rule(2) of type `LANDLOCK_RULE_PATH_BENEATH`.
pub fn landlock_add_path(
    ruleset: BorrowedFd<'_>,
    path: BorrowedFd<'_>,
    access: u64,
) -> io::Result<()> {
    // struct landlock_path_beneath_attr is packed: 8 bytes of rights, then 4 of descriptor (linux/landlock.h).
    #[repr(C, packed)]
    struct PathBeneath {
        allowed_access: u64,
        parent_fd: i32,
    }
    const LANDLOCK_RULE_PATH_BENEATH: libc::c_int = 1;
    let rule = PathBeneath {
        allowed_access: access,
        parent_fd: path.as_raw_fd(),
    };
    // SAFETY: `rule` is a whole path_beneath attribute; both descriptors are borrowed and open.
    let result = unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset.as_raw_fd(),
            LANDLOCK_RULE_PATH_BENEATH,
            &raw const rule,
            0 as libc::c_uint,
        )
    };
    check(result).map(drop)
}

/// landlock_restrict_self(2).
pub fn landlock_restrict_self(ruleset: BorrowedFd<'_>, flags: u32) -> io::Result<()> {
    let call = libc::SYS_landlock_restrict_self;
    // SAFETY: takes no pointers.
    check(unsafe { libc::syscall(call, ruleset.as_raw_fd(), flags) }).map(drop)
}

/// seccomp(2) with `SECCOMP_SET_MODE_FILTER`, for the calling thread.
pub fn seccomp_set_filter(filter: &[Instruction]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: filter.len().try_into().unwrap_or(u16::MAX),
        filter: filter.as_ptr().cast::<libc::sock_filter>().cast_mut(),
    };
    let (mode, flags) = (libc::SECCOMP_SET_MODE_FILTER, 0 as libc::c_uint);
    // SAFETY: `program` points at as many instructions as it says, laid out as sock_filter; the kernel copies and only reads them.
    check(unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) }).map(drop)
}

/// keyctl(2) with `KEYCTL_JOIN_SESSION_KEYRING` and no name, which makes a new one.
pub fn join_session_keyring() -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: a null name is what asks for a new, anonymous keyring.
    check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, none) }).map(drop)
}

/// Puts every signal back to its default disposition and unblocks all: ignored ones and the mask survive exec (signal(7)).
pub fn reset_signals() -> io::Result<()> {
    // The kernel's struct sigaction on x86-64 and aarch64 starts with the handler; all zero is SIG_DFL with no flags.
    let default = [0u64; 4];
    for signal in 1..=64 {
        if signal == libc::SIGKILL || signal == libc::SIGSTOP {
            continue;
        }
        // SAFETY: `default` is as large as the kernel's sigaction; the set size 8 is the kernel's.
        let result = unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                std::ptr::null_mut::<u8>(),
                8usize,
            )
        };
        check(result)?;
    }
    set_signal_mask(0).map(drop)
}

/// rt_sigprocmask(2) with `SIG_SETMASK`; bit n-1 is signal n. Returns the previous mask.
pub fn set_signal_mask(mask: u64) -> io::Result<u64> {
    let mut old = 0u64;
    // SAFETY: both sets are 8 bytes, the size passed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const mask,
            &raw mut old,
            8usize,
        )
    };
    check(result).map(|_| old)
}

/// setns(2) with several kinds at once, which a pidfd takes.
pub fn setns(namespace: BorrowedFd<'_>, kinds: libc::c_int) -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::setns(namespace.as_raw_fd(), kinds) }.into()).map(drop)
}

/// ioctl_nsfs(2), `NS_GET_NSTYPE`: which kind of namespace is open, as its `CLONE_NEW*`.
pub fn namespace_kind(namespace: BorrowedFd<'_>) -> io::Result<libc::c_int> {
    // _IO(NSIO, 3) of linux/nsfs.h.
    const NS_GET_NSTYPE: libc::c_ulong = 0xb703;
    // SAFETY: the request takes no argument; `network::open` has seen that the descriptor is one of nsfs.
    let kind = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_NSTYPE) };
    check(kind.into()).map(|_| kind)
}

/// unshare(2) of the calling thread's mount namespace, which the kernel wants with its root and working directory, or of its network
/// namespace.
pub fn unshare(namespace: UnshareFlags) -> rustix::io::Result<()> {
    let namespace = namespace & (UnshareFlags::NEWNS | UnshareFlags::NEWNET);
    // SAFETY: the descriptor table stays shared, which is all that could hurt other threads.
    unsafe { rustix::thread::unshare_unsafe(namespace) }
}

/// dup3(2) onto a number; the same number only loses its close-on-exec flag.
pub fn dup2(source: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    if source.as_raw_fd() == number {
        // SAFETY: takes no pointers.
        return check(unsafe { libc::fcntl(number, libc::F_SETFD, 0) }.into()).map(drop);
    }
    // SAFETY: takes no pointers; whoever owned `number` in this process is gone after the clone.
    check(unsafe { libc::dup2(source.as_raw_fd(), number) }.into()).map(drop)
}

/// pidfd_send_signal(2) of any number, real-time signals included; errno on failure.
pub fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: libc::c_int) -> io::Result<()> {
    let (none, flags) = (std::ptr::null::<libc::siginfo_t>(), 0 as libc::c_uint);
    let (call, pidfd) = (libc::SYS_pidfd_send_signal, pidfd.as_raw_fd());
    // SAFETY: a null siginfo is allowed and means that of kill(2).
    check(unsafe { libc::syscall(call, pidfd, signal, none, flags) }).map(drop)
}

/// `SO_PEERCRED`'s uid. (A peer outside our pid namespace has pid 0 there, which safe wrappers refuse.)
pub fn peer_uid(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut peer = libc::ucred {
        pid: 0,
        uid: u32::MAX,
        gid: u32::MAX,
    };
    let mut size = size_of::<libc::ucred>() as libc::socklen_t;
    let (level, name) = (libc::SOL_SOCKET, libc::SO_PEERCRED);
    // SAFETY: `peer` is a whole ucred of the size passed.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw mut peer).cast(),
            &raw mut size,
        )
    };
    check(result.into()).map(|_| peer.uid)
}

/// setgroups(2) of the calling thread.
pub fn setgroups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: `groups` holds as many group ids as is said.
    check(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) }).map(drop)
}

/// signalfd4(2) for the signals of `mask`, close-on-exec and non-blocking.
pub fn signalfd(mask: u64) -> io::Result<OwnedFd> {
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: `mask` is 8 bytes, the size passed.
    let fd =
        check(unsafe { libc::syscall(libc::SYS_signalfd4, -1, &raw const mask, 8usize, flags) })?;
    // SAFETY: the call succeeded, so this is a new descriptor that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// `waitpid(-1, WNOHANG)` with the raw status, which also carries the core bit.
pub fn reap() -> io::Result<Option<(i32, i32)>> {
    let mut status = 0;
    // SAFETY: `status` is a whole int.
    let pid = check(unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) }.into())?;
    Ok((pid > 0).then_some((pid as i32, status)))
}

/// Ends this process at once, without destructors or buffers: what a forked child must use.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` has no requirements.
    unsafe { libc::_exit(code) }
}

/// Words before the vectors in an exec block: the index of the paths, of argv, of envp, and the number of words.
pub const BLOCK_HEADER: usize = 4;

/// An exec block ([`crate::block`]) in memory, its offsets turned into pointers.
#[derive(Debug)]
pub struct Block {
    start: *mut u64,
    len: usize,
    paths: usize,
    argv: usize,
    envp: usize,
}

impl Block {
    /// mmap(2) with `MAP_PRIVATE`, then relocation in place. Does not allocate.
    ///
    /// # Errors
    /// mmap(2); `EFAULT` when it is no block.
    pub fn map(fd: BorrowedFd<'_>) -> io::Result<Block> {
        let len = rustix::fs::fstat(fd)?.st_size as usize;
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                prot,
                libc::MAP_PRIVATE,
                fd.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let mut block = Block {
            start: start.cast(),
            len,
            paths: 0,
            argv: 0,
            envp: 0,
        };
        block
            .relocate()
            .ok_or(io::Error::from_raw_os_error(libc::EFAULT))?;
        Ok(block)
    }

    fn relocate(&mut self) -> Option<()> {
        let words = self.word(3)? as usize;
        let [paths, argv, envp] = [0, 1, 2].map(|index| self.word(index).map(|word| word as usize));
        (self.paths, self.argv, self.envp) = (paths?, argv?, envp?);
        let vectors = [self.paths, self.argv, self.envp];
        let inside = words.checked_mul(8)? < self.len && vectors.iter().all(|index| *index < words);
        if !inside || self.word(words - 1)? != 0 {
            return None;
        }
        for index in BLOCK_HEADER..words {
            if self.word(index)? != 0 {
                self.point(index)?;
            }
        }
        Some(())
    }

    fn word(&self, index: usize) -> Option<u64> {
        if index.checked_add(1)?.checked_mul(8)? > self.len {
            return None;
        }
        // SAFETY: the word lies inside the mapping, which is page-aligned and stays until exec.
        Some(unsafe { self.start.wrapping_add(index).read() })
    }

    fn point(&mut self, index: usize) -> Option<()> {
        let offset = self
            .word(index)
            .filter(|offset| *offset < self.len as u64)?;
        // SAFETY: `word` has just shown that the word lies inside the writable mapping.
        unsafe {
            self.start
                .wrapping_add(index)
                .write(self.start as u64 + offset)
        };
        Some(())
    }

    /// execve(2) of one path after the other, as execvp(3) does it along PATH; returns only when none was executed. A path that exists and
    /// may not be executed counts more than those that do not exist.
    pub fn execute(&self) -> io::Error {
        let mut worst = libc::ENOENT;
        for index in self.paths.. {
            let path = self.word(index).unwrap_or(0);
            if path == 0 {
                break;
            }
            match self.execve(path).raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) => {}
                Some(libc::EACCES) => worst = libc::EACCES,
                other => return io::Error::from_raw_os_error(other.unwrap_or(libc::EIO)),
            }
        }
        io::Error::from_raw_os_error(worst)
    }

    fn execve(&self, path: u64) -> io::Error {
        let vector = |index: usize| self.start.wrapping_add(index) as *const *const libc::c_char;
        // SAFETY: `relocate` has made every non-zero word a pointer into the mapping, whose last string ends with the mapping
        // at the latest (its tail page is zero-filled or its last byte a NUL written by `block::write`), and the vectors end at a
        // zero word.
        unsafe {
            libc::execve(
                path as *const libc::c_char,
                vector(self.argv),
                vector(self.envp),
            )
        };
        io::Error::last_os_error()
    }
}

/// Borrows a descriptor that is known only by its number.
///
/// # Safety
/// It must be open as long as the borrow lives.
pub unsafe fn borrow<'a>(fd: RawFd) -> BorrowedFd<'a> {
    // SAFETY: the caller vouches for it.
    unsafe { BorrowedFd::borrow_raw(fd) }
}
