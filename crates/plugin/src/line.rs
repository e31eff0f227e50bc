//! Descriptors that are read, written and waited for without a thread.
//!
//! tokio's pipes take any descriptor that epoll takes: here they are pipes, terminals and the connection to a supervisor.
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::OFlags;
use tokio::net::unix::pipe::{Receiver, Sender};

/// An end to read from.
#[derive(Debug)]
pub(crate) struct Reader(Receiver);

/// An end to write to.
#[derive(Debug)]
pub(crate) struct Writer(Sender);

impl Reader {
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Reader> {
        do_not_block(&fd)?;
        Receiver::from_owned_fd_unchecked(fd).map(Reader)
    }

    /// Reads what is there, at most `longest` bytes; empty at the end. Loses nothing when it is dropped.
    pub(crate) async fn read(&self, longest: usize) -> io::Result<Vec<u8>> {
        let mut data = vec![0; longest];
        loop {
            self.0.readable().await?;
            let read = match self.0.try_read(&mut data) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                // A terminal that nobody has open any more.
                Err(error)
                    if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) =>
                {
                    0
                }
                read => read?,
            };
            data.truncate(read);
            return Ok(data);
        }
    }
}

impl Writer {
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Writer> {
        do_not_block(&fd)?;
        Sender::from_owned_fd_unchecked(fd).map(Writer)
    }

    pub(crate) async fn write_all(&self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            self.0.writable().await?;
            match self.0.try_write(data) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => data = &data[written?..],
            }
        }
        Ok(())
    }
}

/// Waits until there is something to read, and leaves it and the descriptor's mode as they are.
pub(crate) async fn readable(fd: impl AsFd) -> io::Result<()> {
    Receiver::from_owned_fd_unchecked(fd.as_fd().try_clone_to_owned()?)?
        .readable()
        .await
}

fn do_not_block(fd: &OwnedFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    Ok(rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pipe_passes_more_than_it_holds_and_ends() {
        let (reader, writer) = std::io::pipe().unwrap();
        let (reader, writer) = (
            Reader::new(reader.into()).unwrap(),
            Writer::new(writer.into()).unwrap(),
        );
        let sent: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
        let copy = sent.clone();
        let writing = tokio::spawn(async move { writer.write_all(&copy).await.unwrap() });
        let mut got = Vec::new();
        loop {
            let data = reader.read(4096).await.unwrap();
            if data.is_empty() {
                break;
            }
            got.extend(data);
        }
        writing.await.unwrap();
        assert!(got == sent);
    }

    #[tokio::test]
    async fn writing_to_nobody_is_an_error() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert!(
            Writer::new(writer.into())
                .unwrap()
                .write_all(b"x")
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn a_connection_is_readable_when_its_other_end_is_gone() {
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        let waiting = tokio::spawn(async move { readable(&near).await });
        drop(far);
        waiting.await.unwrap().unwrap();
    }
}
