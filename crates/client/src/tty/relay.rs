//! Passes bytes on between a person and a command: what is typed one way, what is printed the other.
//!
//! One loop, and nothing in it waits for a single side: neither a command that does not read nor a reader who has stopped
//! keeps anybody from leaving, from being heard, or from seeing the rest.
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, read, write};

use super::escape::Escape;
use super::print::Print;
use super::wake::{RESIZED, Wake};

pub(super) const CHUNK: usize = 16 << 10;

/// So much is read of what is typed before the command has read the first of it, to find in it what leads out.
const MOST_TYPED: usize = 64 << 10;

/// How long a terminal is silent before it is taken to hold nothing more of a command that has ended: the kernel passes
/// on what was written to a terminal a moment later.
const DRAINED: Duration = Duration::from_millis(100);

/// How long a child that an ended command has left may go on printing.
const REST: Duration = Duration::from_secs(3);

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
        let printed = std::mem::take(&mut self.printed).into_iter();
        let passing = Passing {
            prints: printed.map(|(from, to)| Print::new(from, to)).collect(),
            keys: Keys::default(),
            rest: None,
            relay: self,
        };
        passing.run()
    }
}

/// A relay on its way.
struct Passing<'a> {
    relay: Relay<'a>,
    prints: Vec<Print<'a>>,
    keys: Keys,
    /// The command has ended, and this is how long the rest of what it printed may take to come.
    rest: Option<Duration>,
}

/// What was typed and is not passed on yet.
#[derive(Debug, Default)]
struct Keys {
    bytes: Vec<u8>,
    /// Nothing comes after them.
    are_last: bool,
}

impl Passing<'_> {
    fn run(mut self) -> io::Result<Ended> {
        loop {
            self.prints.retain(|print| !print.is_over());
            let is_held_up = self.prints.iter().any(Print::is_held_up);
            // Whoever reads slowly loses nothing: time counts only while the command is waited for.
            let limit = self.rest.filter(|_| !is_held_up);
            if limit.is_some_and(|limit| limit.is_zero() || self.prints.is_empty()) {
                return Ok(Ended::Command);
            }
            let began = Instant::now();
            let ready = self.wait(limit)?;
            if let Some(ended) = self.act(&ready) {
                return Ok(ended);
            }
            if ready.silent {
                self.rest = Some(Duration::ZERO);
            } else if let Some(limit) = limit {
                self.rest = Some(limit.saturating_sub(began.elapsed()));
            }
        }
    }

    /// Does what can be done; what ends it all goes first.
    fn act(&mut self, ready: &Ready) -> Option<Ended> {
        if ready.wake
            && let Some(signal) = self.hear()
        {
            return Some(Ended::Signal(signal));
        }
        if ready.typed && self.read_typed() {
            return Some(Ended::Escaped);
        }
        if ready.to {
            self.pass_typed();
        }
        for (print, is_ready) in self.prints.iter_mut().zip(&ready.prints) {
            if *is_ready && print.pass_on().is_err() {
                return Some(Ended::Unread);
            }
        }
        if ready.end {
            self.let_go();
        }
        None
    }

    /// Waits until something can be done, or the command is silent.
    fn wait(&self, limit: Option<Duration>) -> io::Result<Ready> {
        let relay = &self.relay;
        let end = self.rest.is_none().then_some(relay.end);
        let typed = relay.typed.filter(|_| self.wants_keys());
        let to = relay.to.as_ref().filter(|_| !self.keys.bytes.is_empty());
        let own = [
            (end, PollFlags::IN),
            (relay.wake.map(AsFd::as_fd), PollFlags::IN),
            (typed, PollFlags::IN),
            (to.map(AsFd::as_fd), PollFlags::OUT),
        ];
        let own = own.map(|(fd, flags)| fd.map(|fd| PollFd::from_borrowed_fd(fd, flags)));
        let there = own.each_ref().map(Option::is_some);
        let mut fds: Vec<_> = own.into_iter().flatten().collect();
        fds.extend(self.prints.iter().map(Print::poll));
        let limit = limit.map(|limit| limit.min(DRAINED));
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let some = match poll(&mut fds, limit.as_ref()) {
            Err(Errno::INTR) => return Ok(Ready::default()),
            other => other?,
        };
        let mut up = fds.iter().map(|fd| !fd.revents().is_empty());
        let [end, wake, typed, to] = there.map(|there| there && up.next() == Some(true));
        Ok(Ready {
            end,
            wake,
            typed,
            to,
            prints: up.collect(),
            silent: some == 0,
        })
    }

    fn wants_keys(&self) -> bool {
        if self.relay.escape.leads_out() {
            self.keys.bytes.len() < MOST_TYPED
        } else {
            self.relay.to.is_some() && self.keys.bytes.is_empty()
        }
    }

    /// The signal that asks for the end, if one came.
    fn hear(&mut self) -> Option<i32> {
        let mut came = self.relay.wake.map(Wake::take).unwrap_or_default();
        if came.contains(&RESIZED) {
            (self.relay.resized)();
        }
        came.retain(|signal| *signal != RESIZED);
        came.pop()
    }

    /// Reads what was typed. True when it led out.
    fn read_typed(&mut self) -> bool {
        let Some(from) = self.relay.typed else {
            return false;
        };
        let mut buffer = vec![0; CHUNK];
        let mut leads_out = false;
        match read(from, &mut buffer[..]) {
            Err(Errno::INTR | Errno::AGAIN) => {}
            // Its end, or a terminal that is gone.
            Ok(0) | Err(_) => {
                self.relay.typed = None;
                self.keys.are_last = true;
            }
            Ok(count) => {
                buffer.truncate(count);
                leads_out = self.relay.escape.take(&mut buffer);
                self.keys.bytes.append(&mut buffer);
            }
        }
        self.settle_keys();
        leads_out
    }

    /// Writes on. A command that reads no more may still print.
    fn pass_typed(&mut self) {
        let Some(to) = &self.relay.to else { return };
        match write(to, &self.keys.bytes) {
            Ok(count) => drop(self.keys.bytes.drain(..count)),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => self.relay.to = None,
        }
        self.settle_keys();
    }

    /// The command's side is closed behind the last key; keys for nobody are forgotten.
    fn settle_keys(&mut self) {
        if self.keys.are_last && self.keys.bytes.is_empty() {
            self.relay.to = None;
        }
        if self.relay.to.is_none() {
            self.keys.bytes.clear();
        }
    }

    /// The command has ended: what is typed from now on only leads out.
    fn let_go(&mut self) {
        self.rest = Some(REST);
        self.relay.to = None;
        self.settle_keys();
    }
}

/// What can be done now.
#[derive(Debug, Default)]
struct Ready {
    end: bool,
    wake: bool,
    typed: bool,
    to: bool,
    prints: Vec<bool>,
    silent: bool,
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

    /// A command that has printed more than anybody reads, and its two ends: alive, and what it prints to.
    fn printed(shown: &OwnedFd) -> (OwnedFd, OwnedFd) {
        let (from, far_out) = pipe();
        fill(shown);
        File::from(far_out.try_clone().unwrap())
            .write_all(b"more")
            .unwrap();
        (from, far_out)
    }

    fn fill(to: &OwnedFd) {
        let before = fcntl_getfl(to).unwrap();
        fcntl_setfl(to, before | OFlags::NONBLOCK).unwrap();
        while write(to, &[b'x'; 4096]).is_ok() {}
        fcntl_setfl(to, before).unwrap();
    }

    #[test]
    fn a_reader_who_has_stopped_keeps_nobody_from_leaving() {
        for has_ended in [false, true] {
            let (_seen, shown) = pipe();
            let (from, _far_out) = printed(&shown);
            let (end, alive) = pipe();
            let (typed, keys) = pipe();
            let alive = (!has_ended).then_some(alive);
            let leaver = std::thread::spawn(move || {
                // By then the relay has something that it cannot write.
                std::thread::sleep(Duration::from_millis(300));
                File::from(keys).write_all(b"\n~.").unwrap();
            });
            let relay = Relay {
                typed: Some(typed.as_fd()),
                to: None,
                printed: vec![(from, shown.as_fd())],
                end: end.as_fd(),
                escape: Escape::new(Some(b'~')),
                wake: None,
                resized: &mut || {},
            };
            assert_eq!(relay.run().unwrap(), Ended::Escaped);
            leaver.join().unwrap();
            drop(alive);
            let flags = fcntl_getfl(&shown).unwrap();
            assert!(!flags.contains(OFlags::NONBLOCK), "others share it");
        }
    }

    #[test]
    fn what_a_command_does_not_read_does_not_hide_the_way_out() {
        let (_far_in, to) = pipe();
        let (end, _alive) = pipe();
        fill(&to);
        let (typed, keys) = pipe();
        let typist = std::thread::spawn(move || {
            let mut keys = File::from(keys);
            keys.write_all(b"typed ahead").unwrap();
            std::thread::sleep(Duration::from_millis(100));
            keys.write_all(b"\n~.").unwrap();
        });
        let relay = Relay {
            typed: Some(typed.as_fd()),
            to: Some(to),
            printed: vec![],
            end: end.as_fd(),
            escape: Escape::new(Some(b'~')),
            wake: None,
            resized: &mut || {},
        };
        assert_eq!(relay.run().unwrap(), Ended::Escaped);
        typist.join().unwrap();
    }

    #[test]
    fn a_slow_reader_loses_nothing_of_what_an_ended_command_has_printed() {
        let (seen, shown) = pipe();
        let (from, far_out) = printed(&shown);
        let (end, alive) = pipe();
        drop((far_out, alive));
        let reader = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(500));
            let mut text = String::new();
            File::from(seen).read_to_string(&mut text).unwrap();
            text
        });
        let relay = Relay {
            typed: None,
            to: None,
            printed: vec![(from, shown.as_fd())],
            end: end.as_fd(),
            escape: Escape::new(None),
            wake: None,
            resized: &mut || {},
        };
        assert_eq!(relay.run().unwrap(), Ended::Command);
        drop(shown);
        assert!(reader.join().unwrap().ends_with("xmore"));
    }

    #[test]
    fn a_child_that_goes_on_printing_does_not_hold_up_the_end() {
        let (seen, shown) = pipe();
        let (from, far_out) = pipe();
        let (end, alive) = pipe();
        drop(alive);
        std::thread::spawn(move || while write(&far_out, b"x").is_ok() {});
        let reader = std::thread::spawn(move || {
            let _ = io::copy(&mut File::from(seen), &mut io::sink());
        });
        let relay = Relay {
            typed: None,
            to: None,
            printed: vec![(from, shown.as_fd())],
            end: end.as_fd(),
            escape: Escape::new(None),
            wake: None,
            resized: &mut || {},
        };
        assert_eq!(relay.run().unwrap(), Ended::Command);
        drop(shown);
        reader.join().unwrap();
    }
}
