//! Our PID 1 of a private pid namespace, and the near side's view of it.
//!
//! It has entered the domain before anything else runs, forks the process and every entered command, so that all share that one domain
//! (an equal ruleset applied separately would be another domain: kill and ptrace between them would fail), reaps what is
//! orphaned, and ends with the process, which ends the namespace. It stays root and is not dumpable.
//!
//! Who watches whom: the caller holds init's pidfd, so init's own death is seen even when nothing was said on the channel; init watches its
//! children by SIGCHLD; when the caller dies the channel ends and so does init.
use std::ffi::CString;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use rustix::pipe::PipeFlags;

use crate::child;
use crate::launch::{End, Failure, read_report};
use crate::program::{Entry, Program};
use crate::step::Step;
use crate::sys::{self, CloneArgs};

/// Commands that can be inside at the same time.
const ROOM: usize = 64;
/// Largest message: a working directory and a few words.
const MESSAGE: usize = 4096 + 64;

const STARTED: u32 = 1;
const ENDED: u32 = 2;
const FAILED: u32 = 3;
const ENTER: u32 = 4;
const KILL: u32 = 5;
const TTY: u32 = 1;

/// The number that stands for the process itself; entered commands have others.
pub const MAIN: u32 = 0;

/// Init as its parent sees it.
#[derive(Debug)]
pub struct Remote {
    pidfd: OwnedFd,
    channel: OwnedFd,
}

/// What init says.
#[derive(Debug)]
pub enum Event {
    /// A child was executed.
    Started(u32, OwnedFd),
    /// A child ended.
    Ended(u32, End),
    /// An entered command was not executed.
    Failed(u32, Failure),
}

impl Remote {
    pub(crate) fn new(pidfd: OwnedFd, channel: OwnedFd) -> Remote {
        Remote { pidfd, channel }
    }

    /// Init's own pidfd: readable once it is gone.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Readable when there is an event.
    pub fn channel(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }

    /// Waits for the process's pidfd.
    pub(crate) fn started(&self) -> io::Result<OwnedFd> {
        match self.event()? {
            Some(Event::Started(MAIN, pidfd)) => Ok(pidfd),
            _ => Err(io::Error::from_raw_os_error(libc::EPROTO)),
        }
    }

    /// The next event; `None` when init has gone.
    ///
    /// # Errors
    /// recvmsg(2).
    pub fn event(&self) -> io::Result<Option<Event>> {
        let mut message = [0u8; MESSAGE];
        let (length, mut fds) = receive(self.channel.as_fd(), &mut message)?;
        let word = |n: usize| word(&message[..length], n);
        let (Some(kind), Some(id)) = (word(0), word(1)) else {
            return Ok(None);
        };
        Ok(match (kind, fds.pop()) {
            (STARTED, Some(pidfd)) => Some(Event::Started(id, pidfd)),
            (ENDED, _) => word(2).map(|status| Event::Ended(id, End::from_status(status as i32))),
            (FAILED, _) => word(2)
                .zip(word(3))
                .map(|(step, errno)| Event::Failed(id, Failure::reported(step, errno as i32))),
            _ => None,
        })
    }

    /// Asks for a command to be forked.
    ///
    /// # Errors
    /// sendmsg(2), or a working directory that is too long.
    pub fn enter(&self, id: u32, entry: &Entry, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut message = vec![];
        for word in [ENTER, id, if entry.tty { TTY } else { 0 }] {
            message.extend_from_slice(&word.to_ne_bytes());
        }
        message.extend_from_slice(entry.cwd.as_bytes_with_nul());
        if message.len() > MESSAGE {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        }
        // An init that is frozen must not hold the caller up.
        send(self.channel.as_fd(), &message, fds, SendFlags::DONTWAIT)
    }

    /// SIGKILL to an entered command and its process group.
    ///
    /// # Errors
    /// sendmsg(2).
    pub fn kill(&self, id: u32) -> io::Result<()> {
        say(self.channel.as_fd(), &[KILL, id], &[])
    }
}

/// Init's whole life. Returns when it shall end.
pub(crate) fn run(program: &Program, inner: &[Step], channel: &OwnedFd, error: &OwnedFd) {
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let Ok(children) = watch_children() else {
        return;
    };
    let forked = child::clone(
        CloneArgs {
            flags: 0,
            cgroup: None,
        },
        || {
            child::carry_out(inner, program.outer.len(), 1, error.as_fd());
        },
    );
    let main = match forked {
        Ok((pid, pidfd)) => {
            if say(channel.as_fd(), &[STARTED, MAIN], &[pidfd.as_fd()]).is_err() {
                return;
            }
            // Only the forked process may keep the error pipe open, or its end would never be seen; and the caller's own ends of
            // what it talks through must end with it.
            let kept = [channel.as_raw_fd(), children.as_raw_fd()];
            if sys::close_all_but(kept).is_err() {
                return;
            }
            pid
        }
        Err(failure) => child::give_up(program.outer.len() as u32, &failure, error.as_fd()),
    };
    let mut here = [(0i32, 0u32); ROOM];
    here[0] = (main, MAIN);
    serve(program, channel.as_fd(), children.as_fd(), &mut here);
}

fn watch_children() -> io::Result<OwnedFd> {
    let child = 1u64 << (libc::SIGCHLD - 1);
    sys::set_signal_mask(child)?;
    sys::signalfd(child)
}

fn serve(
    program: &Program,
    channel: BorrowedFd<'_>,
    children: BorrowedFd<'_>,
    here: &mut [(i32, u32); ROOM],
) {
    loop {
        let mut fds = [
            PollFd::from_borrowed_fd(channel, PollFlags::IN),
            PollFd::from_borrowed_fd(children, PollFlags::IN),
        ];
        match poll(&mut fds, None::<&Timespec>) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
        let asked = !fds[0].revents().is_empty();
        let ended = !fds[1].revents().is_empty();
        if ended && !reap_all(channel, children, here) {
            return;
        }
        if asked && !obey(program, channel, here) {
            return;
        }
    }
}

/// Reaps whoever has ended. `false` when the process itself has.
fn reap_all(
    channel: BorrowedFd<'_>,
    children: BorrowedFd<'_>,
    here: &mut [(i32, u32); ROOM],
) -> bool {
    let mut drain = [0u8; 128];
    let _ = rustix::io::read(children, &mut drain);
    let mut main = None;
    while let Ok(Some((pid, status))) = sys::reap() {
        let Some(slot) = here.iter_mut().find(|slot| slot.0 == pid) else {
            continue;
        };
        let id = slot.1;
        *slot = (0, 0);
        if id == MAIN {
            // Told last: nothing is listened to after it.
            main = Some(status);
        } else if say(channel, &[ENDED, id, status as u32], &[]).is_err() {
            return false;
        }
    }
    match main {
        Some(status) => {
            // Whoever would hear it is gone, or hears it.
            let _ = say(channel, &[ENDED, MAIN, status as u32], &[]);
            false
        }
        None => true,
    }
}

/// Carries out one request. `false` when the other side is gone.
fn obey(program: &Program, channel: BorrowedFd<'_>, here: &mut [(i32, u32); ROOM]) -> bool {
    let mut message = [0u8; MESSAGE];
    let Ok((length, fds)) = receive(channel, &mut message) else {
        return false;
    };
    let message = &message[..length];
    match (word(message, 0), word(message, 1)) {
        (Some(ENTER), Some(id)) => {
            let tty = word(message, 2) == Some(TTY);
            let cwd = message
                .get(12..)
                .and_then(|rest| CString::from_vec_with_nul(rest.to_vec()).ok());
            let room = here.iter().any(|slot| slot.0 == 0);
            let result = match cwd {
                Some(_) if !room => Err(io::Error::from_raw_os_error(libc::EAGAIN).into()),
                Some(cwd) => fork_command(program, &fds, cwd, tty),
                None => Err(io::Error::from_raw_os_error(libc::EINVAL).into()),
            };
            answer(channel, here, id, result)
        }
        (Some(KILL), Some(id)) => {
            if let Some((pid, _)) = here
                .iter()
                .find(|slot| slot.0 != 0 && slot.1 == id && id != MAIN)
            {
                crate::launch::kill_group(*pid);
            }
            true
        }
        _ => false,
    }
}

fn answer(
    channel: BorrowedFd<'_>,
    here: &mut [(i32, u32); ROOM],
    id: u32,
    result: Result<(i32, OwnedFd), Failure>,
) -> bool {
    match result {
        Ok((pid, pidfd)) => {
            if let Some(slot) = here.iter_mut().find(|slot| slot.0 == 0) {
                *slot = (pid, id);
            }
            say(channel, &[STARTED, id], &[pidfd.as_fd()]).is_ok()
        }
        Err(failure) => {
            let errno = failure.source.raw_os_error().unwrap_or(libc::EIO) as u32;
            say(channel, &[FAILED, id, failure.index(), errno], &[]).is_ok()
        }
    }
}

fn fork_command(
    program: &Program,
    fds: &[OwnedFd],
    cwd: CString,
    tty: bool,
) -> Result<(i32, OwnedFd), Failure> {
    let [block, stdin, stdout, stderr] = fds else {
        return Err(io::Error::from_raw_os_error(libc::EINVAL).into());
    };
    let stdio = [stdin.as_raw_fd(), stdout.as_raw_fd(), stderr.as_raw_fd()];
    let steps = program.entered(Entry {
        namespaces: vec![],
        stdio,
        tty,
        cwd,
        block: block.as_raw_fd(),
    });
    let (report, error) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let forked = child::clone(
        CloneArgs {
            flags: 0,
            cgroup: None,
        },
        || {
            child::begin(None, error.as_fd());
            child::carry_out(&steps, 0, 1, error.as_fd())
        },
    )?;
    drop(error);
    read_report(report.as_fd()).map(|()| forked)
}

fn word(message: &[u8], n: usize) -> Option<u32> {
    let bytes = message.get(n * 4..n * 4 + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

fn say(channel: BorrowedFd<'_>, words: &[u32], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut message = [0u8; 16];
    for (place, word) in message.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
    send(
        channel,
        &message[..words.len() * 4],
        fds,
        SendFlags::empty(),
    )
}

/// sendmsg(2) with descriptors.
///
/// # Errors
/// sendmsg(2).
pub fn send(
    channel: BorrowedFd<'_>,
    message: &[u8],
    fds: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::from_raw_os_error(libc::ETOOMANYREFS));
    }
    let flags = flags | SendFlags::NOSIGNAL;
    let sent = rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(channel, &[IoSlice::new(message)], &mut control, flags)
    })?;
    if sent == message.len() {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::EMSGSIZE))
    }
}

/// recvmsg(2) with descriptors, all close-on-exec. Length 0: the other side is gone.
///
/// # Errors
/// recvmsg(2); `EMSGSIZE` when the message did not fit.
pub fn receive(channel: BorrowedFd<'_>, message: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = loop {
        let mut parts = [IoSliceMut::new(message)];
        match rustix::net::recvmsg(channel, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    if got.flags.contains(rustix::net::ReturnFlags::TRUNC) {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    let mut fds = vec![];
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            fds.extend(rights);
        }
    }
    Ok((got.bytes, fds))
}
