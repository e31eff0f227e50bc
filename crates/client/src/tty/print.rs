//! One way of what a command prints: from it to whoever reads, who may be slow or have stopped.
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{FileType, Mode, OFlags, fcntl_getfl, fstat, open};
use rustix::io::{Errno, read, write};

use super::relay::CHUNK;

/// As much as is written at once to what may make us wait: a terminal or pipe that has room has room for this.
const MODEST: usize = 256;

/// From a command to a reader.
#[derive(Debug)]
pub(super) struct Print<'a> {
    /// `None` at its end.
    from: Option<OwnedFd>,
    to: Reader<'a>,
    /// Read and not written yet.
    pending: Vec<u8>,
}

#[derive(Debug)]
enum Reader<'a> {
    /// As it was given; so much is written at once.
    Given(BorrowedFd<'a>, usize),
    /// Opened anew: the caller shares theirs with others, who would be surprised if it stopped waiting for them.
    Own(OwnedFd),
}

impl<'a> Print<'a> {
    pub(super) fn new(from: OwnedFd, to: BorrowedFd<'a>) -> Print<'a> {
        Print {
            from: Some(from),
            to: Reader::of(to),
            pending: Vec::new(),
        }
    }

    /// Something waits for the reader.
    pub(super) fn is_held_up(&self) -> bool {
        !self.pending.is_empty()
    }

    /// There is nothing left to pass on, now or later.
    pub(super) fn is_over(&self) -> bool {
        self.from.is_none() && self.pending.is_empty()
    }

    /// What has to be waited for to get on.
    pub(super) fn poll(&self) -> PollFd<'_> {
        match &self.from {
            Some(from) if self.pending.is_empty() => PollFd::new(from, PollFlags::IN),
            _ => PollFd::from_borrowed_fd(self.to.as_fd(), PollFlags::OUT),
        }
    }

    /// One step. An error: nobody reads.
    pub(super) fn pass_on(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            self.read();
            return Ok(());
        }
        match self.to.write(&self.pending) {
            Ok(count) => drop(self.pending.drain(..count)),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn read(&mut self) {
        let Some(from) = &self.from else { return };
        let mut buffer = vec![0; CHUNK];
        match read(from, &mut buffer[..]) {
            // A terminal's other side is gone: EIO.
            Ok(0) | Err(Errno::IO) => self.from = None,
            Ok(count) => {
                buffer.truncate(count);
                self.pending = buffer;
            }
            Err(_) => {}
        }
    }
}

impl<'a> Reader<'a> {
    fn of(to: BorrowedFd<'a>) -> Reader<'a> {
        let kind = fstat(to).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let waits = matches!(kind, Ok(FileType::Fifo | FileType::CharacterDevice));
        let is_patient = fcntl_getfl(to).is_ok_and(|flags| !flags.contains(OFlags::NONBLOCK));
        if !waits || !is_patient {
            return Reader::Given(to, CHUNK);
        }
        let path = format!("/proc/self/fd/{}", to.as_raw_fd());
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        open(path, flags, Mode::empty()).map_or(Reader::Given(to, MODEST), Reader::Own)
    }

    fn write(&self, bytes: &[u8]) -> rustix::io::Result<usize> {
        match self {
            Reader::Given(to, most) => write(to, &bytes[..bytes.len().min(*most)]),
            Reader::Own(to) => write(to, bytes),
        }
    }
}

impl AsFd for Reader<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Reader::Given(to, _) => *to,
            Reader::Own(to) => to.as_fd(),
        }
    }
}
