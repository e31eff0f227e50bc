//! The connections.
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

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
    /// Its pidfd, when it is our own child.
    pub(crate) child: Option<OwnedFd>,
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

    /// Sends; a client that is gone misses it.
    pub(crate) fn tell(&self, reply: &Reply, fds: &[BorrowedFd<'_>]) {
        let _ = protocol::send(self.socket.as_fd(), reply, fds);
    }
}
