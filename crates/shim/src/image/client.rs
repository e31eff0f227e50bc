//! The connections.
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::Shutdown;
use sandbox::Entering;
use shim::protocol::{self, Reply};

/// One connection and what it waits for.
pub(crate) struct Client {
    pub(crate) socket: OwnedFd,
    pub(crate) wants: Wants,
}

/// What a connection waits for.
pub(crate) enum Wants {
    /// Its next request.
    Nothing,
    /// The end of the process.
    End,
    /// The end of an entered command; closing the connection kills it.
    Command(Command),
}

/// An entered command.
pub(crate) struct Command {
    /// Its number with init, or its pid.
    pub(crate) id: u32,
    /// When it is our own child.
    pub(crate) child: Option<Entering>,
    /// It has been executed.
    pub(crate) started: bool,
    /// A terminal's master, to be handed over once it has.
    pub(crate) master: Option<OwnedFd>,
}

impl Client {
    pub(crate) fn new(socket: OwnedFd) -> Client {
        Client {
            socket,
            wants: Wants::Nothing,
        }
    }

    /// Sends without waiting. A client that is gone misses it; one that does not read what it asked for is let go.
    pub(crate) fn tell(&self, reply: &Reply, fds: &[BorrowedFd<'_>]) {
        if protocol::send_at_once(self.socket.as_fd(), reply, fds).is_err() {
            let _ = rustix::net::shutdown(&self.socket, Shutdown::Both);
        }
    }
}

impl Command {
    /// What tells of its next change, when it is our own child: its exec, then its end.
    pub(crate) fn watched(&self) -> Option<BorrowedFd<'_>> {
        let child = self.child.as_ref()?;
        let fd = if self.started {
            &child.pidfd
        } else {
            &child.report
        };
        Some(fd.as_fd())
    }
}
