//! One request and its answer on a netlink socket of audit's.
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::netlink::{AUDIT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// `struct nlmsghdr`: length, type, flags, sequence, port.
pub(super) const HEADER: usize = 16;
/// Largest record: the kernel's is 8970 (`MAX_AUDIT_MESSAGE_LENGTH`); a listed rule is longer only by its strings.
pub(super) const MESSAGE: usize = 1 << 14;
const ERROR: u16 = libc::NLMSG_ERROR as u16;
const DONE: u16 = libc::NLMSG_DONE as u16;
const REQUEST: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
/// The kernel answers before the request returns; this is for one that never does.
const PATIENCE: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

/// A message of the kernel's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u16,
    pub(super) body: Vec<u8>,
}

/// Splits a datagram: audit sends one message in each.
pub(super) fn split(datagram: &[u8]) -> Option<(u16, &[u8])> {
    let header = datagram.get(..HEADER)?;
    let kind = u16::from_ne_bytes([header[4], header[5]]);
    Some((kind, &datagram[HEADER..]))
}

pub(super) fn open() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let family = AddressFamily::NETLINK;
    Ok(rustix::net::socket_with(
        family,
        SocketType::RAW,
        flags,
        Some(AUDIT),
    )?)
}

/// What comes of a question beside its acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Nothing,
    /// One message, which may follow the acknowledgement.
    One,
    /// Messages up to one of the kind `NLMSG_DONE`, before or behind the acknowledgement.
    List,
}

/// Asks, and gives everything that is answered.
pub(super) fn ask(kind: u16, body: &[u8], answer: Answer) -> io::Result<Vec<Message>> {
    let socket = open()?;
    let kernel = SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(&socket, &request(kind, body), SendFlags::empty(), &kernel)?;
    let mut answers = vec![];
    let mut acknowledged = false;
    let mut done = answer == Answer::Nothing;
    while !(acknowledged && done) {
        let message = receive(&socket)?;
        match message.kind {
            ERROR => acknowledged = errno(&message.body).map_or(Ok(true), Err)?,
            DONE => done = true,
            _ => {
                answers.push(message);
                done |= answer == Answer::One;
            }
        }
    }
    Ok(answers)
}

fn request(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = (HEADER + body.len()) as u32;
    let mut message = vec![];
    message.extend_from_slice(&length.to_ne_bytes());
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(&REQUEST.to_ne_bytes());
    // Sequence 1, and a port that the kernel fills in.
    message.extend_from_slice(&1u32.to_ne_bytes());
    message.extend_from_slice(&0u32.to_ne_bytes());
    message.extend_from_slice(body);
    message
}

fn receive(socket: &OwnedFd) -> io::Result<Message> {
    let mut buffer = vec![0; MESSAGE];
    loop {
        let mut fds = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)];
        if rustix::io::retry_on_intr(|| poll(&mut fds, Some(&PATIENCE)))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if let Some(datagram) = take(socket.as_fd(), &mut buffer, RecvFlags::empty())? {
            let (kind, body) = split(datagram).ok_or(io::ErrorKind::InvalidData)?;
            let body = body.to_vec();
            return Ok(Message { kind, body });
        }
    }
}

/// The next datagram. `None`: it is not the kernel's, but of a process that may send to the sockets of others (CAP_NET_ADMIN).
pub(super) fn take<'b>(
    socket: BorrowedFd<'_>,
    buffer: &'b mut [u8],
    flags: RecvFlags,
) -> rustix::io::Result<Option<&'b [u8]>> {
    let (length, _, sender) = rustix::net::recvfrom(socket, &mut *buffer, flags)?;
    let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
    let is_kernel = sender.is_some_and(|sender| sender.pid() == 0);
    Ok(is_kernel.then(|| &buffer[..length]))
}

/// The errno of an acknowledgement; `None`: it was done.
fn errno(body: &[u8]) -> Option<io::Error> {
    let code = body.get(..4).and_then(|code| code.try_into().ok());
    match code.map(i32::from_ne_bytes) {
        Some(0) => None,
        Some(code) => Some(io::Error::from_raw_os_error(code.wrapping_neg())),
        None => Some(io::ErrorKind::InvalidData.into()),
    }
}
