//! Talking to a shim. Every request has a connection of its own, so that any number of threads may ask at the same time.
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;

use crate::protocol::{self, Failed, Record, Reply, Request, SOCKET};
use crate::{End, Enter, Error, ExitStatus, Found, Streams, record, spawn};

/// A shim by its state directory, and the connection that a foreground process lives with.
#[derive(Debug)]
pub struct Shim {
    state: PathBuf,
    _control: Option<OwnedFd>,
}

/// Finds what is in a state directory.
///
/// # Errors
/// The directory or the record in it cannot be read.
pub fn attach(state: &Path) -> Result<Found, Error> {
    let shim = Shim::new(state, None);
    match shim.ask(&Request::Hello, &[]) {
        Ok((_, Reply::Running(running))) => Ok(Found::Alive(shim, running.into())),
        Ok(_) | Err(Error::Gone { .. }) => Ok(shim
            .record()?
            .map_or(Found::Lost, |record| Found::Ended(record.into()))),
        Err(error) => Err(error),
    }
}

/// Removes a state directory; reaps its shim where it was a child of ours. Idempotent.
///
/// # Errors
/// unlink(2), rmdir(2).
pub fn forget(state: &Path) -> io::Result<()> {
    spawn::reap(state);
    spawn::remove_state(state)
}

impl Shim {
    pub(crate) fn new(state: &Path, control: Option<OwnedFd>) -> Shim {
        Shim {
            state: state.to_owned(),
            _control: control,
        }
    }

    fn gone(&self, source: io::Error) -> Error {
        Error::Gone {
            state: self.state.clone(),
            source,
        }
    }

    fn connect(&self) -> Result<OwnedFd, Error> {
        let connect = || -> Result<OwnedFd, Errno> {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let state = rustix::fs::open(&self.state, flags, Mode::empty())?;
            let kind = SocketType::SEQPACKET;
            let socket =
                rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
            // By descriptor: a path has only 107 bytes there (unix(7)).
            let address =
                SocketAddrUnix::new(format!("/proc/self/fd/{}/{SOCKET}", state.as_raw_fd()))?;
            rustix::net::connect(&socket, &address)?;
            Ok(socket)
        };
        connect().map_err(|e| self.gone(e.into()))
    }

    fn send(&self, request: &Request, fds: &[BorrowedFd<'_>]) -> Result<OwnedFd, Error> {
        let socket = self.connect()?;
        protocol::send(socket.as_fd(), request, fds).map_err(|e| self.gone(e))?;
        Ok(socket)
    }

    fn ask(&self, request: &Request, fds: &[BorrowedFd<'_>]) -> Result<(OwnedFd, Reply), Error> {
        let socket = self.send(request, fds)?;
        let reply = protocol::receive::<Reply>(socket.as_fd()).map_err(|e| self.gone(e))?;
        let (reply, _) = reply.ok_or_else(|| self.gone(io::ErrorKind::UnexpectedEof.into()))?;
        Ok((socket, reply))
    }

    fn record(&self) -> Result<Option<Record>, Error> {
        record::read(&self.state).map_err(|e| self.gone(e))
    }

    /// Waits for the end. Any number of callers may wait. `Ok(None)`: the shim died without a record.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub fn wait(&self) -> Result<Option<ExitStatus>, Error> {
        match self.begin_to_wait() {
            Ok(waiting) => waiting.end(self),
            Err(Error::Gone { .. }) => Ok(self.record()?.map(Into::into)),
            Err(error) => Err(error),
        }
    }

    /// Asks for the end without waiting for it yet: whoever makes it come must have asked before.
    ///
    /// # Errors
    /// The shim is gone.
    pub fn begin_to_wait(&self) -> Result<Waiting, Error> {
        Ok(Waiting(self.send(&Request::Wait, &[])?))
    }

    /// Sends one signal to the process, as the kernel delivers it.
    ///
    /// # Errors
    /// The shim is gone, or the kernel refused.
    pub fn signal(&self, signal: i32) -> Result<(), Error> {
        match self.ask(&Request::Signal(signal), &[])? {
            (_, Reply::Refused(errno)) => Err(refused(&format!("send signal {signal}"), errno)),
            _ => Ok(()),
        }
    }

    /// Polite, then hard: `signal`, after `grace` SIGKILL to all that is in the cgroup; returns when the process has ended. At once
    /// hard when `grace` is zero, or when the process is PID 1 and cannot hear the signal.
    ///
    /// # Errors
    /// None for a process that has ended, or whose shim died: then the process died with it.
    pub fn stop(&self, signal: i32, grace: Duration) -> Result<(), Error> {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        match self.ask(&Request::Stop { signal, grace_ms }, &[]) {
            Ok(_) | Err(Error::Gone { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Starts a command beside the process, inside the same sandbox.
    ///
    /// # Errors
    /// The command does not exist or cannot be executed inside; the shim is gone.
    pub fn enter(&self, enter: &Enter<'_>) -> Result<Entered, Error> {
        let Some(name) = enter.argv.first() else {
            return Err(refused("enter without a command", libc::EINVAL));
        };
        let paths = candidates(
            name,
            enter.env.get("PATH").map_or("", String::as_str),
            enter.cwd,
        );
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        let act = || format!("prepare {name}");
        let block =
            sandbox::block::write(&paths, enter.argv, enter.env).map_err(|e| Error::Refused {
                act: act(),
                source: io::Error::other(e),
            })?;
        let cwd = CString::new(OsStr::as_bytes(enter.cwd.as_os_str()))
            .map_err(|_| refused(&act(), libc::EINVAL))?;
        let request = Request::Enter {
            cwd,
            tty: enter.tty,
        };
        if enter.tty {
            return self.entered(name, &request, &[block.as_fd()], None);
        }
        let pipe = || {
            rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
                .map_err(|e| refused("make a pipe", e.raw_os_error()))
        };
        let ((far_in, stdin), (stdout, far_out), (stderr, far_err)) = (pipe()?, pipe()?, pipe()?);
        let fds = [
            block.as_fd(),
            far_in.as_fd(),
            far_out.as_fd(),
            far_err.as_fd(),
        ];
        self.entered(
            name,
            &request,
            &fds,
            Some(Streams::Pipes {
                stdin,
                stdout,
                stderr,
            }),
        )
    }

    fn entered(
        &self,
        name: &str,
        request: &Request,
        fds: &[BorrowedFd<'_>],
        pipes: Option<Streams>,
    ) -> Result<Entered, Error> {
        let socket = self.send(request, fds)?;
        let reply = protocol::receive::<Reply>(socket.as_fd()).map_err(|e| self.gone(e))?;
        let (reply, mut received) =
            reply.ok_or_else(|| self.gone(io::ErrorKind::UnexpectedEof.into()))?;
        match reply {
            Reply::Entered => {
                let streams = pipes.or_else(|| received.pop().map(Streams::Terminal));
                Ok(Entered {
                    streams,
                    socket,
                    end: None,
                })
            }
            Reply::NotEntered(failure) => Err(not_entered(name, failure)),
            // The process ended meanwhile.
            _ => Err(self.gone(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

/// A question for the end that was asked.
#[derive(Debug)]
pub struct Waiting(OwnedFd);

impl Waiting {
    /// Waits for the answer. `Ok(None)`: the shim died without a record.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub fn end(self, shim: &Shim) -> Result<Option<ExitStatus>, Error> {
        match protocol::receive::<Reply>(self.0.as_fd()) {
            Ok(Some((Reply::Ended(record), _))) => Ok(Some(record.into())),
            _ => Ok(shim.record()?.map(Into::into)),
        }
    }
}

fn refused(act: &str, errno: i32) -> Error {
    Error::Refused {
        act: act.to_owned(),
        source: io::Error::from_raw_os_error(errno),
    }
}

fn not_entered(name: &str, failure: Failed) -> Error {
    match (failure.exec, failure.errno) {
        (true, libc::ENOENT) => Error::NotFound(format!(
            "{name}: not found inside, or its interpreter is not"
        )),
        (true, libc::EACCES | libc::EPERM | libc::ENOEXEC) => {
            Error::NotExecutable(format!("{name} may not be executed inside"))
        }
        (_, errno) => refused(&format!("run {name}"), errno),
    }
}

/// Where a command may be, as execvp(3) sees it; an empty element of PATH is the working directory.
fn candidates(name: &str, path: &str, cwd: &Path) -> Vec<PathBuf> {
    if name.contains('/') {
        return vec![cwd.join(name)];
    }
    path.split(':')
        .map(|directory| cwd.join(directory).join(name))
        .collect()
}

/// A command that runs beside the process. Dropping it kills the command and its process group.
#[derive(Debug)]
pub struct Entered {
    /// Near ends of its streams; take them out to pump them.
    pub streams: Option<Streams>,
    socket: OwnedFd,
    end: Option<End>,
}

/// Readable (or hung up) once the command has ended, so that its end and its output can be polled together.
impl AsFd for Entered {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Entered {
    /// Waits for its end.
    ///
    /// # Errors
    /// The shim died; the command died with it.
    pub fn wait(&mut self) -> Result<End, Error> {
        if let Some(end) = self.end {
            return Ok(end);
        }
        let reply = protocol::receive::<Reply>(self.socket.as_fd());
        let end = match reply {
            Ok(Some((Reply::Finished(finish), _))) => finish.into(),
            Ok(_) => {
                return Err(refused(
                    "wait for the command: the shim is gone",
                    libc::EPIPE,
                ));
            }
            Err(source) => {
                return Err(Error::Refused {
                    act: "wait for the command".to_owned(),
                    source,
                });
            }
        };
        self.end = Some(end);
        Ok(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_looked_for_along_path() {
        let found = candidates("sh", "/bin::usr", Path::new("/local"));
        assert_eq!(
            found,
            ["/bin/sh", "/local/sh", "/local/usr/sh"].map(PathBuf::from)
        );
        assert_eq!(
            candidates("./x", "/bin", Path::new("/w")),
            [PathBuf::from("/w/./x")]
        );
    }
}
