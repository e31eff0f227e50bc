//! The socket on which a run takes what only it can do: stopping its tasks in the job's order, without starting them
//! again.
//!
//! It has a thread of its own, so a run whose terminal is held up answers all the same; one that was suspended
//! (Ctrl-Z) is continued by whoever asks, as systemd(1) does it. The directory keeps others than root out already; the
//! peer's uid is looked at for the case that it was opened up by mistake.
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType,
};
use rustix::process::{PidfdFlags, Signal};
use serde::{Deserialize, Serialize};

use crate::dirs::Dir;
use crate::error::{Attempt, HostError};

const SOCKET: &str = "control";
const TAKEN: &[u8] = b"taken";
/// No request is longer.
const LONGEST: usize = 4096;
/// How long either side may take for a word.
const PATIENCE: Duration = Duration::from_secs(5);

/// What shall be stopped, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {
    /// These tasks of the allocation; `None`: all of it.
    pub tasks: Option<Vec<String>>,
    /// Instead of each task's `kill_timeout`.
    pub kill_timeout: Option<Duration>,
    /// What becomes of `shutdown_delay`.
    pub shutdown_delay: Delay,
}

/// Whether a delay is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delay {
    /// As the job says.
    Keep,
    /// Left out.
    Skip,
}

/// Why a run was not asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// Nobody listens any more.
    #[error("the run in {} does not answer", run_dir.display())]
    NoAnswer {
        /// Its directory.
        run_dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A socket that is listened on until this is dropped.
#[derive(Debug)]
pub(crate) struct Control(Arc<OwnedFd>);

impl Drop for Control {
    fn drop(&mut self) {
        // Ends the thread's accept.
        let _ = rustix::net::shutdown(&self.0, Shutdown::Both);
    }
}

impl Control {
    /// Listens in a run's own directory and passes each request on.
    pub(crate) fn listen(
        run_dir: &Dir,
        pass_on: impl Fn(StopRequest) + Send + 'static,
    ) -> Result<Control, HostError> {
        let what = || format!("listen in {}", run_dir.path().display());
        let socket = Arc::new(open(run_dir).attempt(what)?);
        let listener = Arc::clone(&socket);
        let take = move || {
            while let Some(connection) = accept(&listener) {
                serve(&connection, &pass_on);
            }
        };
        thread::Builder::new()
            .name("control".to_owned())
            .spawn(take)
            .attempt(|| "start a thread".to_owned())?;
        Ok(Control(socket))
    }
}

fn open(run_dir: &Dir) -> rustix::io::Result<OwnedFd> {
    let socket = new_socket()?;
    rustix::net::bind(&socket, &address(run_dir)?)?;
    rustix::net::listen(&socket, 16)?;
    Ok(socket)
}

fn new_socket() -> rustix::io::Result<OwnedFd> {
    let kind = SocketType::SEQPACKET;
    rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)
}

/// By descriptor: a path has only 107 bytes there (unix(7)).
fn address(run_dir: &Dir) -> rustix::io::Result<SocketAddrUnix> {
    let fd = run_dir.as_fd().as_raw_fd();
    SocketAddrUnix::new(format!("/proc/self/fd/{fd}/{SOCKET}"))
}

/// The next connection; `None` when nobody listens any more.
fn accept(listener: &OwnedFd) -> Option<OwnedFd> {
    loop {
        match rustix::net::accept_with(listener, SocketFlags::CLOEXEC) {
            Ok(connection) => return Some(connection),
            Err(Errno::INTR | Errno::CONNABORTED) => {}
            // Out of descriptors or memory for a moment.
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(_) => return None,
        }
    }
}

/// Takes one request. Whatever is wrong with it, the connection ends and nothing else.
fn serve(connection: &OwnedFd, pass_on: &impl Fn(StopRequest)) {
    let own = rustix::process::geteuid();
    let allowed =
        socket_peercred(connection).is_ok_and(|peer| peer.uid.is_root() || peer.uid == own);
    if !allowed || patiently(connection).is_err() {
        return;
    }
    let mut message = [0; LONGEST];
    let Ok((length, _)) = rustix::net::recv(connection, &mut message[..], RecvFlags::empty())
    else {
        return;
    };
    if let Ok(request) = serde_json::from_slice(&message[..length]) {
        pass_on(request);
        let _ = rustix::net::send(connection, TAKEN, SendFlags::NOSIGNAL);
    }
}

fn patiently(connection: &OwnedFd) -> rustix::io::Result<()> {
    set_socket_timeout(connection, Timeout::Recv, Some(PATIENCE))?;
    set_socket_timeout(connection, Timeout::Send, Some(PATIENCE))
}

/// Asks a run, and returns once it has taken the request.
pub(crate) fn ask(run_dir: &Path, request: &StopRequest) -> Result<(), StopError> {
    try_ask(run_dir, request).map_err(|source| StopError::NoAnswer {
        run_dir: run_dir.to_owned(),
        source,
    })
}

fn try_ask(run_dir: &Path, request: &StopRequest) -> io::Result<()> {
    let dir = Dir::open(run_dir).map_err(|error| error.source)?;
    let socket = new_socket()?;
    patiently(&socket)?;
    rustix::net::connect(&socket, &address(&dir)?)?;
    let text = serde_json::to_vec(request)?;
    rustix::net::send(&socket, &text, SendFlags::NOSIGNAL)?;
    wake(&socket);
    let mut answer = [0; TAKEN.len()];
    match rustix::net::recv(&socket, &mut answer[..], RecvFlags::empty())? {
        (length, _) if answer[..length] == *TAKEN => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Continues a run that was suspended; to any other process the signal means nothing.
fn wake(socket: &OwnedFd) {
    let runner = socket_peercred(socket).ok();
    let runner =
        runner.and_then(|peer| rustix::process::pidfd_open(peer.pid, PidfdFlags::empty()).ok());
    if let Some(runner) = runner {
        let _ = rustix::process::pidfd_send_signal(&runner, Signal::CONT);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::mpsc::channel;

    use super::*;
    use crate::testing::Scratch;

    fn request() -> StopRequest {
        StopRequest {
            tasks: Some(vec!["web".to_owned()]),
            kill_timeout: Some(Duration::from_millis(1500)),
            shutdown_delay: Delay::Skip,
        }
    }

    #[test]
    fn a_request_arrives_as_it_was_made() {
        let scratch = Scratch::new();
        let (to, requests) = channel();
        let dir = Dir::open(scratch.path()).unwrap();
        let control = Control::listen(&dir, move |request| drop(to.send(request))).unwrap();
        ask(scratch.path(), &request()).unwrap();
        ask(scratch.path(), &request()).unwrap();
        assert_eq!(requests.recv().unwrap(), request());
        drop(control);
        // The thread has ended when its sender is gone.
        assert_eq!(requests.iter().count(), 1);
        assert!(ask(scratch.path(), &request()).is_err());
    }

    #[test]
    fn nonsense_is_no_request_and_does_no_harm() {
        let scratch = Scratch::new();
        let (to, requests) = channel();
        let dir = Dir::open(scratch.path()).unwrap();
        let control = Control::listen(&dir, move |request| drop(to.send(request))).unwrap();
        for text in [&b""[..], b"{}", b"\xff", &[b'x'; 3 * LONGEST]] {
            let socket = new_socket().unwrap();
            rustix::net::connect(&socket, &address(&dir).unwrap()).unwrap();
            rustix::net::send(&socket, text, SendFlags::NOSIGNAL).unwrap();
        }
        ask(scratch.path(), &request()).unwrap();
        drop(control);
        assert_eq!(requests.iter().count(), 1);
    }
}
