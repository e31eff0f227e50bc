//! The fork path: everything here runs between clone and exec, and allocates nothing. A new network namespace has a loopback device
//! that is down; this brings it up.
use std::io;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// Message and answer, both shorter than this.
const ROOM: usize = 64;

/// rtnetlink(7): set `IFF_UP` of interface 1, which is every network namespace's loopback device, and say how it went. Native order;
/// lengths, types and flags of linux/netlink.h and linux/rtnetlink.h.
fn request() -> [u8; 32] {
    let up = libc::IFF_UP as u32;
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
    let mut message = [0; 32];
    message[..4].copy_from_slice(&32u32.to_ne_bytes());
    message[4..6].copy_from_slice(&libc::RTM_NEWLINK.to_ne_bytes());
    message[6..8].copy_from_slice(&flags.to_ne_bytes());
    message[20..24].copy_from_slice(&1i32.to_ne_bytes());
    message[24..28].copy_from_slice(&up.to_ne_bytes());
    message[28..32].copy_from_slice(&up.to_ne_bytes());
    message
}

/// Brings the loopback device of the caller's network namespace up.
pub(crate) fn up() -> io::Result<()> {
    let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
    // No protocol is protocol 0: NETLINK_ROUTE.
    let socket = rustix::net::socket_with(family, SocketType::RAW, flags, None)?;
    let kernel = SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(&socket, &request(), SendFlags::empty(), &kernel)?;
    let mut answer = [0u8; ROOM];
    let (_, length) = rustix::net::recv(&socket, &mut answer[..], RecvFlags::empty())?;
    errno(&answer[..length])
}

/// nlmsgerr: after the header of 16 bytes a negative errno, or 0.
fn errno(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..6).map(|kind| [kind[0], kind[1]]);
    let error = answer
        .get(16..20)
        .map(|error| [error[0], error[1], error[2], error[3]]);
    match (kind.map(u16::from_ne_bytes), error.map(i32::from_ne_bytes)) {
        (Some(kind), Some(0)) if i32::from(kind) == libc::NLMSG_ERROR => Ok(()),
        (Some(kind), Some(error)) if i32::from(kind) == libc::NLMSG_ERROR => {
            Err(io::Error::from_raw_os_error(-error))
        }
        _ => Err(io::Error::from_raw_os_error(libc::EPROTO)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_answer_is_the_kernels() {
        let answer = |kind: i32, error: i32| {
            let mut bytes = [0u8; 36];
            bytes[4..6].copy_from_slice(&(kind as u16).to_ne_bytes());
            bytes[16..20].copy_from_slice(&error.to_ne_bytes());
            errno(&bytes).map_err(|error| error.raw_os_error().unwrap())
        };
        assert_eq!(answer(libc::NLMSG_ERROR, 0), Ok(()));
        assert_eq!(answer(libc::NLMSG_ERROR, -libc::EPERM), Err(libc::EPERM));
        assert_eq!(answer(libc::NLMSG_DONE, 0), Err(libc::EPROTO));
        assert_eq!(errno(&[]).unwrap_err().raw_os_error(), Some(libc::EPROTO));
    }
}
