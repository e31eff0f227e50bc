//! What is said on the socket: one datagram a message, postcard inside, descriptors beside it.
use std::ffi::CString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::SendFlags;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Largest message: a path and a few numbers.
pub const MESSAGE: usize = 8192;
/// Name of the socket in the state directory.
pub const SOCKET: &str = "socket";

/// Asked of the shim; the answer comes on the same connection.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Who runs? → [`Reply::Running`].
    Hello,
    /// → [`Reply::Ended`], once it has.
    Wait,
    /// → [`Reply::Done`] or [`Reply::Refused`].
    Signal(i32),
    /// → [`Reply::Ended`], once it has.
    Stop {
        /// The polite signal.
        signal: i32,
        /// How long to be polite.
        grace_ms: u64,
    },
    /// Descriptors: the exec block; without a terminal also 0, 1 and 2. → [`Reply::Entered`] (with a terminal: its master beside it),
    /// later [`Reply::Finished`]. Closing the connection kills the command.
    Enter {
        /// The working directory.
        cwd: CString,
        /// With a terminal.
        tty: bool,
    },
}

/// Answered by the shim.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// Who runs.
    Running(Running),
    /// The process was not started.
    Failed(Failed),
    /// It has ended.
    Ended(Record),
    /// Done.
    Done,
    /// Not done: errno.
    Refused(i32),
    /// The command was executed.
    Entered,
    /// The command was not executed.
    NotEntered(Failed),
    /// The command has ended.
    Finished(Finish),
}

/// A step that failed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Failed {
    /// Its index; `None`: before the first.
    pub step: Option<u32>,
    /// errno.
    pub errno: i32,
    /// It was the exec itself.
    pub exec: bool,
}

/// Pids as the host sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names of `crate::Running`")]
pub struct Running {
    pub pid: i32,
    pub start_time: u64,
    pub shim_pid: i32,
    pub shim_start_time: u64,
    pub init_pid: i32,
    /// Nanoseconds since the epoch.
    pub started_at: u64,
}

/// How a process ended: a code, or a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "wait(2)'s words")]
pub struct Finish {
    pub code: i32,
    pub signal: i32,
    pub core: bool,
}

/// The exit record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names of `crate::ExitStatus`")]
pub struct Record {
    pub finish: Finish,
    pub oom_kills: u64,
    pub stopped_by: Option<i32>,
    pub forced: bool,
    pub deaf: bool,
    /// Nanoseconds since the epoch.
    pub ended_at: u64,
}

/// Sends one message.
///
/// # Errors
/// sendmsg(2).
pub fn send<T: Serialize>(
    socket: BorrowedFd<'_>,
    message: &T,
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    send_with(socket, message, fds, SendFlags::empty())
}

/// Sends one message if there is room for it.
///
/// # Errors
/// sendmsg(2); `EAGAIN` when the other side does not read.
pub fn send_at_once<T: Serialize>(
    socket: BorrowedFd<'_>,
    message: &T,
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    send_with(socket, message, fds, SendFlags::DONTWAIT)
}

fn send_with<T: Serialize>(
    socket: BorrowedFd<'_>,
    message: &T,
    fds: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> io::Result<()> {
    let mut buffer = [0u8; MESSAGE];
    let bytes = postcard::to_slice(message, &mut buffer).map_err(io::Error::other)?;
    sandbox::init::send(socket, bytes, fds, flags)
}

/// Receives one message; `None`: the other side is gone.
///
/// # Errors
/// recvmsg(2); a message that is none of ours.
pub fn receive<T: DeserializeOwned>(
    socket: BorrowedFd<'_>,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut buffer = [0u8; MESSAGE];
    let (length, fds) = match sandbox::init::receive(socket, &mut buffer) {
        Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => return Ok(None),
        other => other?,
    };
    if length == 0 {
        return Ok(None);
    }
    let message = postcard::from_bytes(&buffer[..length]).map_err(io::Error::other)?;
    Ok(Some((message, fds)))
}

impl From<sandbox::End> for Finish {
    fn from(end: sandbox::End) -> Finish {
        match end {
            sandbox::End::Code(code) => Finish {
                code,
                signal: 0,
                core: false,
            },
            sandbox::End::Signal { number, core } => Finish {
                code: 0,
                signal: number,
                core,
            },
        }
    }
}
