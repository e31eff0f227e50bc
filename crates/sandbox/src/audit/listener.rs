//! Reading along: a member of the multicast group that gets a copy of every record.
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::RecvFlags;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::set_socket_recv_buffer_size_force;

use super::record::{Record, parse};
use super::{Error, netlink};

/// `AUDIT_NLGRP_READLOG` as a bit of the groups.
const READLOG: u32 = 1;
/// What the kernel may keep for a reader that is late.
const BUFFER: usize = 2 << 20;

/// What came.
#[derive(Debug)]
pub enum Heard {
    /// A record that matters here.
    Record(Record),
    /// One that does not.
    Other,
    /// Records that came too fast, and were dropped by the kernel.
    Lost,
}

/// A socket that is readable when there is a record.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Listener {
    /// Joins the group. Needs CAP_AUDIT_READ.
    ///
    /// # Errors
    /// A kernel without audit, or without the right to read along.
    pub fn open() -> Result<Listener, Error> {
        let socket = join().map_err(Error::call("read along with kernel audit"))?;
        // With the usual size more is lost, and that is told.
        let _ = set_socket_recv_buffer_size_force(&socket, BUFFER);
        Ok(Listener {
            socket,
            buffer: vec![0; netlink::MESSAGE],
        })
    }

    /// Readable when something came.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The next that has come; `None`: nothing has.
    ///
    /// # Errors
    /// recv(2).
    pub fn hear(&mut self) -> io::Result<Option<Heard>> {
        match netlink::take(self.socket.as_fd(), &mut self.buffer, RecvFlags::DONTWAIT) {
            Ok(datagram) => {
                let message = datagram.and_then(netlink::split);
                let record = message.and_then(|(kind, body)| parse(kind, body));
                Ok(Some(record.map_or(Heard::Other, Heard::Record)))
            }
            Err(rustix::io::Errno::AGAIN) => Ok(None),
            Err(rustix::io::Errno::NOBUFS) => Ok(Some(Heard::Lost)),
            Err(rustix::io::Errno::INTR) => Ok(Some(Heard::Other)),
            Err(error) => Err(error.into()),
        }
    }
}

fn join() -> io::Result<OwnedFd> {
    let socket = netlink::open()?;
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, READLOG))?;
    Ok(socket)
}

/// Joins the group and leaves it again: the kernel records that ([`Record::Left`], by this name of at most 15 bytes) behind everything that came
/// before.
///
/// # Errors
/// As [`Listener::open`]; without a thread.
pub fn knock(name: &str) -> Result<(), Error> {
    let act = "read along with kernel audit";
    // The record has the name of the thread: nothing else tells one reader of a process from another.
    let knocking = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(|| join().map(drop));
    let joined = knocking.map_err(Error::call(act))?.join();
    let left = joined.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
    left.map_err(Error::call(act))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {

    use rustix::net::SendFlags;

    use super::*;

    #[test]
    fn what_a_process_sends_is_no_record() {
        let Ok(mut listener) = Listener::open() else {
            return need::unmet("root", "no CAP_AUDIT_READ");
        };
        let port = SocketAddrNetlink::try_from(rustix::net::getsockname(&listener.socket).unwrap());
        let forged = "audit(1.2:3): domain=deadbeef blockers=fs.read_file path=\"/forged\"";
        let mut message = vec![0; netlink::HEADER];
        message[4..6].copy_from_slice(&1423u16.to_ne_bytes());
        message.extend_from_slice(forged.as_bytes());
        let to = SocketAddrNetlink::new(port.unwrap().pid(), 0);
        let sent = rustix::net::sendto(netlink::open().unwrap(), &message, SendFlags::empty(), &to);
        assert!(sent.is_ok(), "{sent:?}");
        let mut heard = vec![];
        while let Some(one) = listener.hear().unwrap() {
            heard.push(format!("{one:?}"));
        }
        assert!(!heard.is_empty());
        assert!(!heard.iter().any(|one| one.contains("forged")), "{heard:?}");
    }
}
