//! The fork path: everything here runs between clone and exec. It neither allocates nor locks nor logs; a failed step is reported
//! as eight bytes and the process ends.
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags,
};
use rustix::thread::{CapabilitySet, CapabilitySets, Gid, LinkNameSpaceType, Uid};

use crate::loopback;
use crate::step::{Filesystem, Step};
use crate::sys::{self, CloneArgs, Cloned};

/// What the child writes when a step failed: its index and errno, native order.
pub(crate) const REPORT: usize = 8;
/// What the child writes before anything else: nothing at all from it means that it was killed before it began.
const ALIVE: u8 = 1;
/// Set in the index when the step was the exec itself: then the command is at fault, not the sandbox.
pub(crate) const EXEC: u32 = 1 << 31;

/// Clones; in the child `body` runs and the process ends when it returns. Without clone3(2) by clone(2), if no cgroup is asked for.
///
/// The caller is single-threaded (the supervisor's image has no threads), so the child's copy of it is whole.
#[allow(unsafe_code, reason = "the one place that clones")]
pub(crate) fn clone(args: CloneArgs, body: impl FnOnce()) -> io::Result<(i32, OwnedFd)> {
    // SAFETY: the child runs only `body`, which is made of steps, and never returns into the caller's code.
    let mut cloned = unsafe { sys::clone3(args) };
    if cloned.as_ref().is_err_and(is_hidden) && args.cgroup.is_none() {
        // SAFETY: as above.
        cloned = unsafe { sys::clone(args.flags) };
    }
    match cloned? {
        Cloned::Parent(pid, pidfd) => Ok((pid, pidfd)),
        Cloned::Child => {
            body();
            sys::exit_now(127)
        }
    }
}

/// Whether clone3(2) is not to be had here: filters that cannot look into its argument answer ENOSYS, or EPERM as Docker's did before 20.10.10. Where
/// EPERM is meant, clone(2) says it again.
pub(crate) fn is_hidden(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM))
}

/// A child's first act. A cgroup is one that it was not cloned into and has to move to.
pub(crate) fn begin(cgroup: Option<RawFd>, error: BorrowedFd<'_>) {
    let began = cgroup
        .map_or(Ok(()), |directory| move_to(fd(directory)))
        .and_then(|()| write_all(error, &[ALIVE]));
    if let Err(failure) = began {
        give_up(u32::MAX, &failure, error);
    }
}

/// Splits a report into the sign of life and what came after it.
pub(crate) fn split(report: &[u8]) -> (bool, &[u8]) {
    match report {
        [first, rest @ ..] if report.len() % REPORT == 1 && *first == ALIVE => (true, rest),
        _ => (false, report),
    }
}

fn move_to(cgroup: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(cgroup, c"cgroup.procs", flags, Mode::empty())?;
    write_all(file.as_fd(), b"0")
}

/// Carries the steps out in order, in a child. On failure reports `base` + index through `error` and ends the process.
pub(crate) fn carry_out(steps: &[Step], base: usize, parent: i32, error: BorrowedFd<'_>) {
    for (index, step) in steps.iter().enumerate() {
        if let Err(failure) = apply(step, parent) {
            let exec = if matches!(step, Step::Execute { .. }) {
                EXEC
            } else {
                0
            };
            give_up((base + index) as u32 | exec, &failure, error);
        }
    }
}

/// Reports and ends.
pub(crate) fn give_up(index: u32, failure: &io::Error, error: BorrowedFd<'_>) -> ! {
    let mut report = [0u8; REPORT];
    report[..4].copy_from_slice(&index.to_ne_bytes());
    report[4..].copy_from_slice(&failure.raw_os_error().unwrap_or(libc::EIO).to_ne_bytes());
    // Nobody is left to tell when this fails too; the parent then sees a process that ended before exec.
    let _ = rustix::io::write(error, &report);
    sys::exit_now(127)
}

fn apply(step: &Step, parent: i32) -> io::Result<()> {
    match step {
        Step::JoinCgroup { threads } => write_all(fd(*threads), b"0"),
        Step::NewSession => Ok(rustix::process::setsid().map(drop)?),
        Step::NewKeyring => new_keyring(),
        Step::OomScoreAdj { value } => oom_score_adj(*value),
        Step::JoinNamespace {
            fd: namespace,
            kinds,
            ..
        } => join(fd(*namespace), *kinds),
        Step::Loopback => loopback::up(),
        Step::Hostname { name } => Ok(rustix::system::sethostname(name.to_bytes())?),
        Step::SlaveMounts => propagate(MountPropagationFlags::DOWNSTREAM),
        Step::PrivateMounts => propagate(MountPropagationFlags::PRIVATE),
        Step::ReadOnlyTree => sys::mount_setattr(CWD, c"/", true, libc::MOUNT_ATTR_RDONLY, 0),
        Step::PivotRoot { root } => pivot(fd(*root)),
        Step::MoveRoot { root } => {
            move_over_root(fd(*root)).and_then(|()| Ok(rustix::process::chroot(c".")?))
        }
        Step::Attach { mount, target } => attach(fd(*mount), target),
        Step::Mount {
            filesystem,
            target,
            attributes,
        } => mount(*filesystem, target, *attributes),
        Step::Seal { target } => sys::mount_setattr(
            target_fd(target)?.as_fd(),
            c"",
            false,
            libc::MOUNT_ATTR_RDONLY,
            0,
        ),
        Step::Mask { target } => mask(target),
        Step::ReadOnlyPath { target } => read_only(target),
        Step::LandlockRule {
            ruleset,
            target,
            access,
            file_access,
            optional,
        } => rule(fd(*ruleset), target, [*access, *file_access], *optional),
        Step::Restrict { ruleset, flags } => sys::landlock_restrict_self(fd(*ruleset), *flags),
        Step::ChangeDirectory { target, create } => change_directory(target, *create),
        Step::Stdio { fds } => stdio(fds),
        Step::ControllingTerminal => Ok(rustix::process::ioctl_tiocsctty(fd(0))?),
        Step::Umask { mask } => {
            rustix::process::umask(Mode::from_raw_mode(*mask));
            Ok(())
        }
        Step::Bounding { keep } => bounding(*keep),
        Step::Identity { uid, gid, groups } => identity(*uid, *gid, groups),
        Step::Capabilities {
            permitted,
            effective,
            inheritable,
            ambient,
        } => capabilities(*permitted, *effective, *inheritable, *ambient),
        Step::NoNewPrivs => Ok(rustix::thread::set_no_new_privs(true)?),
        Step::Seccomp { filter } => sys::seccomp_set_filter(filter),
        Step::DeathSignal => death_signal(parent),
        Step::DefaultSignals => sys::reset_signals(),
        Step::CloseDescriptors => sys::close_on_exec_from(3),
        Step::Execute { block } => Err(execute(fd(*block))),
    }
}

/// A descriptor of a step. It was made before the clone and stays open until exec.
#[allow(
    unsafe_code,
    reason = "steps hold descriptors as numbers, so that they can cross an exec"
)]
fn fd<'a>(number: RawFd) -> BorrowedFd<'a> {
    // SAFETY: `prepare` made the descriptor and its owner keeps it open at least until the report has been read.
    unsafe { sys::borrow(number) }
}

fn write_all(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    // Interface files take a value in one write or not at all.
    Ok(rustix::io::write(fd, bytes).map(drop)?)
}

/// Where the kernel has no keys there is no keyring to share.
fn new_keyring() -> io::Result<()> {
    match sys::join_session_keyring() {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        other => other,
    }
}

fn oom_score_adj(value: i32) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(c"/proc/self/oom_score_adj", flags, Mode::empty())?;
    let mut digits = [0u8; 12];
    let text = decimal(value, &mut digits);
    write_all(file.as_fd(), text)
}

/// `value` in decimal, without the formatter (which may allocate).
fn decimal(value: i32, buffer: &mut [u8; 12]) -> &[u8] {
    let mut rest = value.unsigned_abs();
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        buffer[at] = b'-';
    }
    &buffer[at..]
}

fn join(namespace: BorrowedFd<'_>, kinds: u32) -> io::Result<()> {
    match kinds as libc::c_int {
        libc::CLONE_NEWNET => Ok(rustix::thread::move_into_link_name_space(
            namespace,
            Some(LinkNameSpaceType::Network),
        )?),
        kinds => sys::setns(namespace, kinds),
    }
}

/// Attaches the new root over the old one; by descriptor, because a path to it may be rewritten by others.
fn move_over_root(root: BorrowedFd<'_>) -> io::Result<()> {
    rustix::mount::move_mount(
        root,
        c"",
        CWD,
        c"/",
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )?;
    Ok(rustix::process::fchdir(root)?)
}

fn propagate(kind: MountPropagationFlags) -> io::Result<()> {
    Ok(rustix::mount::mount_change(
        c"/",
        kind | MountPropagationFlags::REC,
    )?)
}

fn pivot(root: BorrowedFd<'_>) -> io::Result<()> {
    move_over_root(root)?;
    sys::pivot_root_here()?;
    // The old root now lies over the new one; what holds on to it ends with this.
    rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir(c"/")?)
}

/// The place of a mount, with no symbolic link on the way: `prepare` has resolved them, so one that is there now was put there since.
fn target_fd(target: &CStr) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(rustix::fs::openat2(
        CWD,
        target,
        flags,
        Mode::empty(),
        resolve,
    )?)
}

fn attach(mount: BorrowedFd<'_>, target: &CStr) -> io::Result<()> {
    let place = target_fd(target)?;
    attach_at(mount, place.as_fd())
}

fn attach_at(mount: BorrowedFd<'_>, place: BorrowedFd<'_>) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(rustix::mount::move_mount(mount, c"", place, c"", flags)?)
}

fn mount(filesystem: Filesystem, target: &CStr, attributes: u32) -> io::Result<()> {
    let name = match filesystem {
        Filesystem::Proc => c"proc",
        Filesystem::Sysfs => c"sysfs",
        Filesystem::Mqueue => c"mqueue",
    };
    let mount = new_mount(name, MountAttrFlags::from_bits_retain(attributes))?;
    attach(mount.as_fd(), target)
}

fn new_mount(name: &CStr, attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    let fs = rustix::mount::fsopen(name, FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_create(fs.as_fd())?;
    Ok(rustix::mount::fsmount(
        fs.as_fd(),
        FsMountFlags::FSMOUNT_CLOEXEC,
        attributes,
    )?)
}

fn mask(target: &CStr) -> io::Result<()> {
    let Some(place) = present(target_fd(target))? else {
        return Ok(());
    };
    let stat = rustix::fs::fstat(&place)?;
    let cover = if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        let closed = MountAttrFlags::MOUNT_ATTR_RDONLY
            | MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        new_mount(c"tmpfs", closed)?
    } else {
        clone_tree(target_fd(c"/dev/null")?.as_fd(), false)?
    };
    attach_at(cover.as_fd(), place.as_fd())
}

fn read_only(target: &CStr) -> io::Result<()> {
    let Some(place) = present(target_fd(target))? else {
        return Ok(());
    };
    let tree = clone_tree(place.as_fd(), true)?;
    sys::mount_setattr(tree.as_fd(), c"", true, libc::MOUNT_ATTR_RDONLY, 0)?;
    attach_at(tree.as_fd(), place.as_fd())
}

fn clone_tree(place: BorrowedFd<'_>, recursive: bool) -> io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    flags.set(OpenTreeFlags::AT_RECURSIVE, recursive);
    Ok(rustix::mount::open_tree(place, c"", flags)?)
}

fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A rule on a file must not hold rights that only directories have (landlock_add_rule(2)).
fn rule(
    ruleset: BorrowedFd<'_>,
    target: &CStr,
    [directory, file]: [u64; 2],
    optional: bool,
) -> io::Result<()> {
    match present(open_inside(target, OFlags::empty()).map_err(io::Error::from))? {
        Some(path) => {
            let stat = rustix::fs::fstat(&path)?;
            let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            match if is_directory { directory } else { file } {
                // An empty rule is ENOMSG (landlock_add_rule(2)).
                0 => Ok(()),
                access => sys::landlock_add_path(ruleset, path.as_fd(), access),
            }
        }
        None if optional => Ok(()),
        None => Err(io::Error::from_raw_os_error(libc::ENOENT)),
    }
}

fn change_directory(target: &CStr, create: bool) -> io::Result<()> {
    match go_to(target) {
        Err(rustix::io::Errno::NOENT) if create => make_and_enter(target),
        other => Ok(other?),
    }
}

/// chdir(2) that follows no link of procfs: `/proc/self/fd/N` would lead to what is still open of the host here, and the directory outlives
/// the descriptor.
fn go_to(target: &CStr) -> rustix::io::Result<()> {
    let directory = open_inside(target, OFlags::DIRECTORY)?;
    rustix::process::fchdir(directory)
}

/// Symbolic links are followed, links of procfs (proc_pid_fd(5), proc_pid_root(5)) are not: those lead out of any root.
fn open_inside(target: &CStr, kind: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | kind;
    let resolve = ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(CWD, target, flags, Mode::empty(), resolve)
}

/// mkdir -p, one component after the other from the root. We are inside the new root by now, so no link leads out of it.
fn make_and_enter(target: &CStr) -> io::Result<()> {
    rustix::process::chdir(c"/")?;
    let mode = Mode::from_raw_mode(0o755);
    // The launcher's is nobody's business here; Umask sets the process's own.
    rustix::process::umask(Mode::empty());
    for part in target
        .to_bytes()
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
    {
        let mut name = [0u8; 256];
        let room = name
            .get_mut(..part.len())
            .ok_or(io::Error::from_raw_os_error(libc::ENAMETOOLONG))?;
        room.copy_from_slice(part);
        let name = CStr::from_bytes_until_nul(&name)
            .map_err(|_| io::Error::from_raw_os_error(libc::ENAMETOOLONG))?;
        match rustix::fs::mkdirat(CWD, name, mode) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => go_to(name)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn stdio(fds: &[RawFd; 3]) -> io::Result<()> {
    for (number, source) in fds.iter().enumerate() {
        sys::dup2(fd(*source), number as RawFd)?;
    }
    Ok(())
}

fn bounding(keep: u64) -> io::Result<()> {
    for number in 0..64 {
        if keep & (1 << number) != 0 {
            continue;
        }
        let one = CapabilitySet::from_bits_retain(1 << number);
        match rustix::thread::remove_capability_from_bounding_set(one) {
            Ok(()) => {}
            // The first number beyond cap_last_cap (capabilities(7)).
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn identity(uid: u32, gid: u32, groups: &[u32]) -> io::Result<()> {
    // Without this the permitted set is lost when uid 0 is left, before Capabilities can keep its part.
    rustix::thread::set_keep_capabilities(true)?;
    sys::setgroups(groups)?;
    let gid = Gid::from_raw(gid);
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    let uid = Uid::from_raw(uid);
    Ok(rustix::thread::set_thread_res_uid(uid, uid, uid)?)
}

fn capabilities(permitted: u64, effective: u64, inheritable: u64, ambient: u64) -> io::Result<()> {
    let set = CapabilitySet::from_bits_retain;
    let sets = CapabilitySets {
        effective: set(effective),
        permitted: set(permitted),
        inheritable: set(inheritable),
    };
    rustix::thread::clear_ambient_capability_set()?;
    rustix::thread::set_capabilities(None, sets)?;
    for number in (0..64).filter(|number| ambient & (1 << number) != 0) {
        rustix::thread::configure_capability_in_ambient_set(set(1 << number), true)?;
    }
    Ok(())
}

fn death_signal(parent: i32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // A parent that died before the call sends nothing any more (prctl(2), PR_SET_PDEATHSIG).
    match rustix::process::getppid() {
        Some(now) if now.as_raw_nonzero().get() == parent => Ok(()),
        _ => sys::exit_now(127),
    }
}

fn execute(block: BorrowedFd<'_>) -> io::Error {
    match sys::Block::map(block) {
        Ok(block) => block.execute(),
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn decimal_writes_every_sign_and_size() {
        for value in [0, 7, -1, 1000, -1000, i32::MAX, i32::MIN] {
            let mut buffer = [0; 12];
            assert_eq!(decimal(value, &mut buffer), value.to_string().as_bytes());
        }
    }
}
