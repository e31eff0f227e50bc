//! The socket: whoever can connect can start processes as root, so nobody else gets to it.
use std::collections::hash_map::RandomState;
use std::fs::{DirBuilder, Permissions};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use crate::log;

/// `sun_path` holds 108 bytes, the last of them NUL: unix(7).
const LONGEST_PATH: usize = 107;

/// A listening socket in a directory of its own; both are removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: Arc<UnixListener>,
    directory: PathBuf,
    path: PathBuf,
}

impl Socket {
    /// Listens in the first of these directories where that can be done.
    pub(crate) fn bind(parents: &[PathBuf]) -> io::Result<Socket> {
        let mut reason = io::Error::from(io::ErrorKind::InvalidFilename);
        for parent in parents {
            match Socket::bind_below(parent) {
                Ok(socket) => return Ok(socket),
                Err(error) => reason = error,
            }
        }
        Err(reason)
    }

    fn bind_below(parent: &Path) -> io::Result<Socket> {
        let directory = parent.join(format!(
            "plugin{:016x}",
            RandomState::new().build_hasher().finish()
        ));
        let path = directory.join("socket");
        if !fits(&path) {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        DirBuilder::new().mode(0o700).create(&directory)?;
        // Only root's processes can be in the directory between these two calls.
        let bound = UnixListener::bind(&path).and_then(|listener| {
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).map(|()| listener)
        });
        match bound {
            Ok(listener) => Ok(Socket {
                listener: Arc::new(listener),
                directory,
                path,
            }),
            Err(error) => {
                let _ = std::fs::remove_dir_all(&directory);
                Err(error)
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Connections of our own user, as they come; `open` counts those that last.
    pub(crate) fn connections(
        &self,
        open: &Arc<AtomicUsize>,
    ) -> ReceiverStream<io::Result<Connection>> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(accept(Arc::clone(&self.listener), sender, Arc::clone(open)));
        ReceiverStream::new(receiver)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_dir(&self.directory);
    }
}

/// Whether the handshake line and a socket's address can hold the path.
fn fits(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    path.is_absolute()
        && bytes.len() <= LONGEST_PATH
        && std::str::from_utf8(bytes).is_ok()
        && !bytes
            .iter()
            .any(|byte| *byte == b'|' || byte.is_ascii_control())
}

async fn accept(
    listener: Arc<UnixListener>,
    sender: mpsc::Sender<io::Result<Connection>>,
    open: Arc<AtomicUsize>,
) {
    let us = rustix::process::geteuid().as_raw();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                log::warn(
                    "cannot accept a connection",
                    &[("error", &error.to_string())],
                );
                // Out of descriptors: the next try would fail at once.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == us => {}
            Ok(peer) => {
                log::warn(
                    "refused a connection of another user",
                    &[("uid", &peer.uid().to_string())],
                );
                continue;
            }
            Err(_) => continue,
        }
        if sender
            .send(Ok(Connection::new(stream, &open)))
            .await
            .is_err()
        {
            return;
        }
    }
}

/// A connection that is counted while it lasts.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: UnixStream,
    open: Arc<AtomicUsize>,
}

impl Connection {
    fn new(stream: UnixStream, open: &Arc<AtomicUsize>) -> Connection {
        open.fetch_add(1, Ordering::Relaxed);
        Connection {
            stream,
            open: Arc::clone(open),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[tokio::test]
    async fn the_socket_is_ours_alone_and_goes_with_its_directory() {
        let socket = Socket::bind(&[std::env::temp_dir()]).unwrap();
        let directory = socket.directory().to_owned();
        assert_eq!(std::fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
        assert_eq!(
            std::fs::metadata(socket.path()).unwrap().mode() & 0o777,
            0o600
        );
        drop(socket);
        assert!(!directory.exists());
    }

    #[tokio::test]
    async fn a_directory_that_is_too_long_or_missing_gives_way_to_the_next() {
        let long = std::env::temp_dir().join("x".repeat(100));
        let socket = Socket::bind(&[long, "/nonexistent".into(), std::env::temp_dir()]).unwrap();
        assert!(socket.path().starts_with(std::env::temp_dir()));
    }

    #[test]
    fn a_path_with_the_handshakes_separator_does_not_fit() {
        assert!(fits(Path::new("/tmp/plugin1/socket")));
        assert!(!fits(Path::new("/tmp/a|b/socket")));
        assert!(!fits(Path::new("/tmp/a\nb/socket")));
        assert!(!fits(Path::new("relative/socket")));
    }
}
