//! Passes bytes on between a person and a command: what is typed one way, what is printed the other.
//!
//! One loop, and nothing in it waits for a single side: a command that does not read keeps nobody from seeing what it
//! prints or from ending it.
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, read, write};

use super::wake::{RESIZED, Wake};

const CHUNK: usize = 16 << 10;

/// How long a terminal is silent before it is taken to hold nothing more of a command that has ended: the kernel passes
/// on what was written to a terminal a moment later.
const DRAINED: Duration = Duration::from_millis(100);

/// What leads out of a session: this character after a newline, and then a dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escape {
    character: Option<u8>,
    state: Typed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Typed {
    NewLine,
    Escape,
    Other,
}

impl Escape {
    /// By this character; `None`: nothing leads out.
    pub fn new(character: Option<u8>) -> Escape {
        Escape {
            character,
            state: Typed::NewLine,
        }
    }

    /// Takes what was typed; what goes on is left in `typed`. True when it led out.
    fn take(&mut self, typed: &mut Vec<u8>) -> bool {
        let Some(escape) = self.character else {
            return false;
        };
        let mut passed = Vec::with_capacity(typed.len());
        for byte in typed.drain(..) {
            match (self.state, byte) {
                (Typed::Escape, b'.') => return true,
                (Typed::NewLine, byte) if byte == escape => {
                    self.state = Typed::Escape;
                    continue;
                }
                // Twice is once, as in ssh(1).
                (Typed::Escape, byte) if byte == escape => {}
                (Typed::Escape, _) => passed.push(escape),
                _ => {}
            }
            passed.push(byte);
            self.state = if matches!(byte, b'\n' | b'\r') {
                Typed::NewLine
            } else {
                Typed::Other
            };
        }
        *typed = passed;
        false
    }
}

/// Why the relay is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The command has ended, and all it printed was passed on.
    Command,
    /// The person left.
    Escaped,
    /// Nobody reads what is printed any more.
    Unread,
    /// A signal asked this process to end.
    Signal(i32),
}

/// What is connected to what.
#[allow(missing_debug_implementations, reason = "it lives for one call")]
pub struct Relay<'a> {
    /// Typed here; `None`: nothing is.
    pub typed: Option<BorrowedFd<'a>>,
    /// And goes there; closed at its end.
    pub to: Option<OwnedFd>,
    /// Printed here, and goes there.
    pub printed: Vec<(OwnedFd, BorrowedFd<'a>)>,
    /// Readable or hung up once the command has ended.
    pub end: BorrowedFd<'a>,
    /// The way out.
    pub escape: Escape,
    /// Signals that are to be heard.
    pub wake: Option<&'a Wake>,
    /// Told when the person's terminal has another size.
    pub resized: &'a mut dyn FnMut(),
}

impl Relay<'_> {
    /// Passes everything on until the command has ended.
    ///
    /// # Errors
    /// poll(2).
    pub fn run(mut self) -> io::Result<Ended> {
        for fd in self.printed.iter().map(|(from, _)| from).chain(&self.to) {
            fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)?;
        }
        let mut pending = Vec::new();
        loop {
            let ready = self.wait(&pending)?;
            if ready.printed && !self.pass_printed() {
                return Ok(Ended::Unread);
            }
            if ready.end {
                return self.drain();
            }
            if ready.wake
                && let Some(signal) = self.hear()
            {
                return Ok(Ended::Signal(signal));
            }
            if ready.to {
                self.pass_typed(&mut pending);
            }
            if ready.typed && self.read_typed(&mut pending) {
                return Ok(Ended::Escaped);
            }
        }
    }

    /// Waits until something can be done. What is typed is read only when the last of it is written.
    fn wait(&self, pending: &[u8]) -> io::Result<Ready> {
        let typed = self
            .typed
            .filter(|_| pending.is_empty() && self.to.is_some());
        let to = self.to.as_ref().filter(|_| !pending.is_empty());
        let mut fds = vec![PollFd::from_borrowed_fd(self.end, PollFlags::IN)];
        let wake = self.wake.map_or(self.end, AsFd::as_fd);
        fds.push(PollFd::from_borrowed_fd(wake, PollFlags::IN));
        fds.extend(typed.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        fds.extend(to.map(|fd| PollFd::new(fd, PollFlags::OUT)));
        let first = fds.len();
        let printed = self.printed.iter();
        fds.extend(printed.map(|(from, _)| PollFd::new(from, PollFlags::IN)));
        match poll(&mut fds, None) {
            Err(Errno::INTR) => return Ok(Ready::default()),
            other => other?,
        };
        let up = |index: usize| fds.get(index).is_some_and(|fd| !fd.revents().is_empty());
        Ok(Ready {
            end: up(0),
            wake: up(1),
            typed: typed.is_some() && up(2),
            to: to.is_some() && up(2),
            printed: (first..fds.len()).any(up),
        })
    }

    /// The signal that asks for the end, if one came.
    fn hear(&mut self) -> Option<i32> {
        let mut came = self.wake.map(Wake::take).unwrap_or_default();
        if came.contains(&RESIZED) {
            (self.resized)();
        }
        came.retain(|signal| *signal != RESIZED);
        came.pop()
    }

    /// Passes on what is there. False when nobody reads it.
    fn pass_printed(&mut self) -> bool {
        let mut buffer = vec![0; CHUNK];
        let mut index = 0;
        while let Some((from, to)) = self.printed.get(index) {
            match read(from, &mut buffer[..]) {
                // A terminal's other side is gone: EIO.
                Ok(0) | Err(Errno::IO) => {
                    self.printed.remove(index);
                    continue;
                }
                Ok(count) => {
                    if write_all(*to, &buffer[..count]).is_err() {
                        return false;
                    }
                }
                Err(_) => {}
            }
            index += 1;
        }
        true
    }

    /// What the ended command has left to read; a child of it may hold the other side open, so not to its end.
    fn drain(&mut self) -> io::Result<Ended> {
        while !self.printed.is_empty() {
            let mut fds: Vec<_> = self
                .printed
                .iter()
                .map(|(from, _)| PollFd::new(from, PollFlags::IN))
                .collect();
            let limit = Timespec::try_from(DRAINED).ok();
            let some = match poll(&mut fds, limit.as_ref()) {
                Err(Errno::INTR) => continue,
                other => other?,
            };
            if some == 0 {
                break;
            }
            if !self.pass_printed() {
                return Ok(Ended::Unread);
            }
        }
        Ok(Ended::Command)
    }

    /// Reads what was typed; at its end the command's side is closed. True when it led out.
    fn read_typed(&mut self, pending: &mut Vec<u8>) -> bool {
        let Some(from) = self.typed else { return false };
        let mut buffer = vec![0; CHUNK];
        match read(from, &mut buffer[..]) {
            Ok(0) => {
                (self.typed, self.to) = (None, None);
            }
            Ok(count) => {
                buffer.truncate(count);
                *pending = buffer;
                return self.escape.take(pending);
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            // A terminal that is gone.
            Err(_) => (self.typed, self.to) = (None, None),
        }
        false
    }

    /// Writes on. A command that reads no more may still print.
    fn pass_typed(&mut self, pending: &mut Vec<u8>) {
        let Some(to) = &self.to else { return };
        match write(to, pending) {
            Ok(count) => drop(pending.drain(..count)),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => {
                pending.clear();
                self.to = None;
            }
        }
    }
}

/// What can be done now.
#[derive(Debug, Default)]
struct Ready {
    end: bool,
    wake: bool,
    typed: bool,
    to: bool,
    printed: bool,
}

/// Writes all, also to a descriptor that the caller has made non-blocking.
///
/// # Errors
/// write(2).
pub fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match write(to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(&to, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::fs::File;
    use std::io::{Read, Write};

    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    fn typed(escape: &mut Escape, keys: &str) -> (String, bool) {
        let mut bytes = keys.as_bytes().to_vec();
        let out = escape.take(&mut bytes);
        (String::from_utf8(bytes).unwrap(), out)
    }

    #[test]
    fn the_way_out_begins_a_line() {
        let mut escape = Escape::new(Some(b'~'));
        assert_eq!(typed(&mut escape, "a~."), ("a~.".to_owned(), false));
        assert_eq!(typed(&mut escape, "\r~"), ("\r".to_owned(), false));
        assert_eq!(typed(&mut escape, "x"), ("~x".to_owned(), false));
        assert_eq!(typed(&mut escape, "\r~~"), ("\r~".to_owned(), false));
        assert_eq!(typed(&mut escape, "\n~"), ("\n".to_owned(), false));
        assert!(typed(&mut escape, ".").1);
        assert!(!typed(&mut Escape::new(None), "~.").1);
    }

    fn pipe() -> (OwnedFd, OwnedFd) {
        pipe_with(PipeFlags::CLOEXEC).unwrap()
    }

    #[test]
    fn a_command_that_does_not_read_is_still_seen() {
        let (far_in, to) = pipe();
        let (from, far_out) = pipe();
        let (end, alive) = pipe();
        let (mut seen, shown) = pipe();
        let (typed, mut keys) = pipe();
        let command = std::thread::spawn(move || {
            let mut keys = File::from(std::mem::replace(&mut keys, pipe().1));
            let _ = keys.write_all(&vec![b'k'; 300_000]);
        });
        let printer = std::thread::spawn(move || {
            File::from(far_out).write_all(b"printed").unwrap();
            drop((far_in, alive));
        });
        let relay = Relay {
            typed: Some(typed.as_fd()),
            to: Some(to),
            printed: vec![(from, shown.as_fd())],
            end: end.as_fd(),
            escape: Escape::new(None),
            wake: None,
            resized: &mut || {},
        };
        assert_eq!(relay.run().unwrap(), Ended::Command);
        drop((shown, typed));
        let mut text = String::new();
        File::from(std::mem::replace(&mut seen, pipe().0))
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "printed");
        printer.join().unwrap();
        command.join().unwrap();
    }
}
