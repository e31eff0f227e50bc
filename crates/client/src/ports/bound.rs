//! Whether anybody has bound a port: it is tried.
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

/// A kind of sockets that ports are bound by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

/// Tries a port at every address, with both protocols and in both families, as a task may use any of them.
pub(super) fn in_use(port: u16) -> io::Result<Option<Protocol>> {
    let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        for address in [v4, v6] {
            if !is_free(protocol, address)? {
                return Ok(Some(protocol));
            }
        }
    }
    Ok(None)
}

fn is_free(protocol: Protocol, address: SocketAddr) -> io::Result<bool> {
    match try_bind(protocol, address) {
        Ok(()) => Ok(true),
        Err(Errno::ADDRINUSE) => Ok(false),
        // A host without IPv6, or one where this process may not bind the port: the task will be told.
        Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL | Errno::ACCESS | Errno::PERM) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn try_bind(protocol: Protocol, address: SocketAddr) -> rustix::io::Result<()> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let kind = match protocol {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
    };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    if protocol == Protocol::Tcp {
        // Connections that have ended keep a port for a minute, and nobody from listening there (socket(7)).
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    if family == AddressFamily::INET6 {
        // IPv4 is tried by itself.
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn what_is_bound_anywhere_is_in_use() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            // A host without IPv6 has nothing bound there.
            let Ok(listener) = TcpListener::bind(address) else {
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            assert_eq!(in_use(port).unwrap(), Some(Protocol::Tcp), "{address}");
            let Ok(socket) = UdpSocket::bind(address) else {
                continue;
            };
            let port = socket.local_addr().unwrap().port();
            assert!(in_use(port).unwrap().is_some(), "{address}");
        }
    }

    #[test]
    fn a_port_whose_connections_have_ended_is_free() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let near = std::net::TcpStream::connect(address).unwrap();
        // Who closes first keeps the port in TIME_WAIT.
        drop(listener.accept().unwrap());
        drop(near);
        drop(listener);
        assert_eq!(in_use(address.port()).unwrap(), None);
    }
}
