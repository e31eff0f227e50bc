//! Clone, let the child carry out its steps, and learn whether it got as far as exec.
//!
//! ```text
//!   caller ──clone3──► process                    (no init: it is PID 1 of its own pid namespace, or of none)
//!   caller ──clone3──► init ──clone3──► process   (init of ours: the caller learns of the process through the channel)
//! ```
//! The error pipe closes at exec, in every process that holds its write end; what is in it beyond a sign of life is the report of a
//! failed step.
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use crate::program::{Entry, Program};
use crate::step::Step;
use crate::sys::{self, CloneArgs};
use crate::{child, init};

/// A process that has been executed. Dropping it leaves the process alone.
#[derive(Debug)]
pub struct Process {
    /// The process itself.
    pub pidfd: OwnedFd,
    /// Its pid as the caller sees it; with an init of ours, init's.
    pub leader: i32,
    /// Init of ours, by pidfd and channel.
    pub init: Option<init::Remote>,
    entrance: Entrance,
}

/// How a process gets into its v2 cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entrance {
    /// By the clone, which costs nothing.
    Born,
    /// It moves itself, which waits for all others that fork.
    Moves,
}

impl Entrance {
    /// What the clone, and what the child is told.
    fn split(self, cgroup: Option<RawFd>) -> (Option<RawFd>, Option<RawFd>) {
        match self {
            Entrance::Born => (cgroup, None),
            Entrance::Moves => (None, cgroup),
        }
    }
}

/// Why there is no process.
#[derive(Debug)]
pub struct Failure {
    /// The step that failed; `None`: before the first.
    pub step: Option<usize>,
    /// It was the exec itself.
    pub exec: bool,
    /// Why.
    pub source: io::Error,
}

impl Failure {
    /// From the index of a report.
    pub(crate) fn reported(index: u32, errno: i32) -> Failure {
        let exec = index & child::EXEC != 0 && index != u32::MAX;
        let step = (index != u32::MAX).then_some((index & !child::EXEC) as usize);
        Failure {
            step,
            exec,
            source: io::Error::from_raw_os_error(errno),
        }
    }

    /// The child was killed before its first act.
    fn stillborn() -> Failure {
        io::Error::from_raw_os_error(libc::ESRCH).into()
    }

    /// It was the birth in the cgroup that failed, or may have been.
    fn may_move(&self) -> bool {
        let is_stillborn = self.source.raw_os_error() == Some(libc::ESRCH);
        self.step.is_none() && (is_stillborn || child::is_hidden(&self.source))
    }

    /// The index for a report.
    pub(crate) fn index(&self) -> u32 {
        let exec = if self.exec { child::EXEC } else { 0 };
        self.step.map_or(u32::MAX, |step| step as u32 | exec)
    }
}

impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Failure {
        Failure {
            step: None,
            exec: false,
            source,
        }
    }
}

impl From<rustix::io::Errno> for Failure {
    fn from(source: rustix::io::Errno) -> Failure {
        io::Error::from(source).into()
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `_exit(code)`.
    Code(i32),
    /// Killed by this signal.
    Signal {
        /// Its number.
        number: i32,
        /// Core was dumped.
        core: bool,
    },
}

impl End {
    /// From the status of wait(2).
    pub fn from_status(status: i32) -> End {
        if libc::WIFSIGNALED(status) {
            End::Signal {
                number: libc::WTERMSIG(status),
                core: libc::WCOREDUMP(status),
            }
        } else {
            End::Code(libc::WEXITSTATUS(status))
        }
    }
}

/// Clones the process and returns once it has been executed.
///
/// The caller must be single-threaded.
///
/// # Errors
/// The step that failed and why; the child is gone and reaped.
pub fn launch(program: &Program) -> Result<Process, Failure> {
    match attempt(program, Entrance::Born) {
        // Kernels that guard cgroup.kill against forks (6.14, and stable ones) compare with the wrong cgroup when they clone into one:
        // where cgroup.kill has ever been used, whoever is born is killed.
        // Without clone3 nobody is born in a cgroup at all.
        Err(failure) if failure.may_move() && program.cgroup.is_some() => {
            attempt(program, Entrance::Moves)
        }
        other => other,
    }
}

fn attempt(program: &Program, entrance: Entrance) -> Result<Process, Failure> {
    let (into, to) = entrance.split(program.cgroup);
    let (report, error) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let parent = rustix::process::getpid().as_raw_nonzero().get();
    let args = CloneArgs {
        flags: program.clone,
        cgroup: into,
    };
    let (leader, pidfd, channel) = match &program.inner {
        None => {
            let (leader, pidfd) = child::clone(args, || {
                child::begin(to, error.as_fd());
                child::carry_out(&program.outer, 0, parent, error.as_fd())
            })?;
            (leader, pidfd, None)
        }
        Some(inner) => {
            let (near, far) = channel()?;
            let (leader, pidfd) = child::clone(args, || {
                child::begin(to, error.as_fd());
                child::carry_out(&program.outer, 0, parent, error.as_fd());
                init::run(program, inner, &far, &error);
            })?;
            (leader, pidfd, Some(near))
        }
    };
    drop(error);
    if let Err(failure) = read_report(report.as_fd()) {
        bury(pidfd.as_fd());
        return Err(failure);
    }
    let Some(channel) = channel else {
        return Ok(Process {
            pidfd,
            leader,
            init: None,
            entrance,
        });
    };
    let remote = init::Remote::new(pidfd, channel);
    match remote.started() {
        Ok(pidfd) => Ok(Process {
            pidfd,
            leader,
            init: Some(remote),
            entrance,
        }),
        Err(source) => {
            bury(remote.pidfd());
            Err(source.into())
        }
    }
}

/// A command that has been cloned and may not have been executed yet.
#[derive(Debug)]
pub struct Entering {
    /// Its pid as the caller sees it; it leads a process group once it has been executed.
    pub pid: i32,
    /// The command.
    pub pidfd: OwnedFd,
    /// Readable once [`executed`] can tell.
    pub report: OwnedFd,
}

/// Clones a command into the namespaces of a process that has no init of ours. The caller is the process's parent. Does not wait for
/// the exec, which a frozen cgroup holds up.
///
/// # Errors
/// clone3(2), setns(2).
pub fn enter(program: &Program, process: &Process, entry: Entry) -> Result<Entering, Failure> {
    let steps = program.entered(entry);
    let (report, error) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let parent = rustix::process::getpid().as_raw_nonzero().get();
    let (into, to) = process.entrance.split(program.cgroup);
    let args = CloneArgs {
        flags: 0,
        cgroup: into,
    };
    let (pid, pidfd) = in_pid_namespace(program, process, || {
        child::clone(args, || {
            child::begin(to, error.as_fd());
            child::carry_out(&steps, 0, parent, error.as_fd())
        })
    })?;
    Ok(Entering { pid, pidfd, report })
}

/// Whether a command that was entered has been executed, by its report. The child of a failure is ending and is the caller's to reap.
///
/// # Errors
/// The step that failed, in the numbers of [`Program::entered`], and why.
pub fn executed(report: BorrowedFd<'_>) -> Result<(), Failure> {
    read_report(report)
}

/// setns(2) to a pid namespace only changes where later children go, so it is set for the one clone and put back.
fn in_pid_namespace<T>(
    program: &Program,
    process: &Process,
    clone: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    if program.clone & libc::CLONE_NEWPID as u64 == 0 {
        return clone();
    }
    let own = rustix::process::pidfd_open(
        rustix::process::getpid(),
        rustix::process::PidfdFlags::empty(),
    )?;
    sys::setns(process.pidfd.as_fd(), libc::CLONE_NEWPID)?;
    let result = clone();
    sys::setns(own.as_fd(), libc::CLONE_NEWPID)?;
    result
}

/// The namespaces of a running process that an entered command joins before anything else.
pub fn namespaces(program: &Program, process: &Process) -> Vec<Step> {
    use std::os::fd::AsRawFd;
    let mut kinds = program.clone as u32 & !(libc::CLONE_NEWPID as u32);
    if program
        .outer
        .iter()
        .any(|step| matches!(step, Step::JoinNamespace { .. }))
    {
        kinds |= libc::CLONE_NEWNET as u32;
    }
    vec![Step::JoinNamespace {
        fd: process.pidfd.as_raw_fd(),
        kinds,
        name: c"of the process".to_owned(),
    }]
}

fn channel() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Reads to the end: a sign of life alone means executed, eight bytes more that a step failed.
pub(crate) fn read_report(report: BorrowedFd<'_>) -> Result<(), Failure> {
    let mut bytes = [0u8; child::REPORT + 1];
    let mut length = 0;
    while length < bytes.len() {
        match rustix::io::read(report, &mut bytes[length..]) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(0) => break,
            got => length += got?,
        }
    }
    match child::split(&bytes[..length]) {
        (_, &[a, b, c, d, e, f, g, h]) => Err(Failure::reported(
            u32::from_ne_bytes([a, b, c, d]),
            i32::from_ne_bytes([e, f, g, h]),
        )),
        (true, _) => Ok(()),
        (false, _) => Err(Failure::stillborn()),
    }
}

/// Ends and reaps a child that did not make it.
fn bury(pidfd: BorrowedFd<'_>) {
    // It is ending by itself; this is for an init that waits for nobody.
    let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
    let _ = rustix::process::waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED);
}

/// Reaps a child that has ended (its pidfd is readable) and says how.
///
/// # Errors
/// waitid(2).
pub fn reap(pidfd: BorrowedFd<'_>) -> io::Result<Option<End>> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let Some(status) = rustix::process::waitid(WaitId::PidFd(pidfd), options)? else {
        return Ok(None);
    };
    Ok(Some(
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => End::Code(code),
            (None, Some(number)) => End::Signal {
                number,
                core: status.dumped(),
            },
            (None, None) => End::Code(0),
        },
    ))
}

/// SIGKILL to the process group that a child leads (it began with setsid).
pub fn kill_group(leader: i32) {
    if let Some(leader) = Pid::from_raw(leader) {
        // ESRCH: it is gone already.
        let _ = rustix::process::kill_process_group(leader, Signal::KILL);
    }
}
