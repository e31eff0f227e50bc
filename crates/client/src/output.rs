//! Live output: two fifos that the task writes to, and a pump for each that copies byte for byte.
//!
//! A pump holds its fifo open for reading and writing, so it sees no end between two starts of a task, and what
//! matters is whether it is empty. After a task's end all its processes are dead, so whatever it wrote is in the
//! fifo: a pump that is asked to drain writes just that and says so, and no leftover writer can hold it up.
//!
//! Whoever reads our output sets the pace, as with any program: while they do not read, the task waits in write(2).
//! When they are gone (`encamp run … | head`) the task runs on and its output is thrown away, as podman has it.
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, ioctl_fionread, read, write};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::error::{Attempt, HostError};
use crate::message::{Inbox, Message};
use crate::tty::write_all;

/// Where a task's output goes.
#[derive(Debug)]
pub struct Output {
    /// For its standard output.
    pub stdout: OwnedFd,
    /// For its standard error.
    pub stderr: OwnedFd,
}

/// Two running pumps.
#[derive(Debug)]
pub(crate) struct Pumps {
    controls: Vec<OwnedFd>,
}

impl Pumps {
    pub(crate) fn start(
        output: Output,
        stdout: &Path,
        stderr: &Path,
        inbox: &Inbox,
    ) -> Result<Pumps, HostError> {
        let out = start_pump("stdout", stdout, output.stdout, inbox.sender())?;
        let err = start_pump("stderr", stderr, output.stderr, inbox.sender())?;
        Ok(Pumps {
            controls: vec![out, err],
        })
    }

    /// Waits until all that the ended task wrote is written, or nothing was written for so long. After a signal, which
    /// is left in the inbox, it waits no longer than a moment: who reads our output may have stopped reading for good.
    /// True when all is written.
    pub(crate) fn drain(&self, inbox: &mut Inbox, patience: Duration) -> bool {
        let mut missing = self
            .controls
            .iter()
            .filter(|control| write(control, b".").is_ok())
            .count();
        let mut limit = patience;
        let mut others = VecDeque::new();
        while missing > 0 {
            match inbox.next_within(limit) {
                Some(Message::Drained) => missing -= 1,
                Some(other) => {
                    if matches!(other, Message::Signal(_)) {
                        limit = LAST_MOMENT;
                    }
                    others.push_back(other);
                }
                None => break,
            }
        }
        inbox.put_back(others);
        missing == 0
    }
}

/// How long output may take that was there when a signal came.
const LAST_MOMENT: Duration = Duration::from_millis(500);

fn start_pump(
    name: &'static str,
    fifo: &Path,
    to: OwnedFd,
    messages: Sender<Message>,
) -> Result<OwnedFd, HostError> {
    let from = open(
        fifo,
        OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
    )
    .attempt(|| format!("open {}", fifo.display()))?;
    let (orders, control) = pipe_with(PipeFlags::CLOEXEC).attempt(|| "make a pipe".to_owned())?;
    let mut pump = Pump {
        name,
        from,
        to,
        orders,
        messages,
        buffer: vec![0; 64 << 10],
        lost: false,
    };
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || pump.run())
        .attempt(|| "start a thread".to_owned())?;
    Ok(control)
}

struct Pump {
    name: &'static str,
    from: OwnedFd,
    to: OwnedFd,
    orders: OwnedFd,
    messages: Sender<Message>,
    buffer: Vec<u8>,
    lost: bool,
}

impl Pump {
    /// Copies until the other end of `orders` is dropped.
    fn run(&mut self) {
        while self.wait().is_ok() {
            self.copy(usize::MAX);
            match self.orders() {
                Ok(0) => return,
                Ok(_) => {
                    self.drain();
                    let _ = self.messages.send(Message::Drained);
                }
                Err(_) => {}
            }
        }
    }

    fn wait(&self) -> rustix::io::Result<()> {
        let mut waited = [
            PollFd::new(&self.from, PollFlags::IN),
            PollFd::new(&self.orders, PollFlags::IN),
        ];
        match poll(&mut waited, None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn orders(&self) -> rustix::io::Result<usize> {
        let mut waited = [PollFd::new(&self.orders, PollFlags::IN)];
        match poll(&mut waited, Some(&rustix::event::Timespec::default()))? {
            0 => Err(Errno::AGAIN),
            _ => read(&self.orders, &mut [0; 1]),
        }
    }

    /// Copies what is in the fifo now, and not what a leftover writer may go on adding.
    fn drain(&mut self) {
        let mut left =
            ioctl_fionread(&self.from).map_or(0, |count| usize::try_from(count).unwrap_or(0));
        while left > 0 {
            match self.copy(left) {
                0 => return,
                count => left -= count,
            }
        }
    }

    /// One read and its write; how much was read.
    fn copy(&mut self, most: usize) -> usize {
        let most = most.min(self.buffer.len());
        let count = read(&self.from, &mut self.buffer[..most]).unwrap_or(0);
        if !self.lost
            && let Err(error) = write_all(self.to.as_fd(), &self.buffer[..count])
        {
            self.lose(error);
        }
        count
    }

    fn lose(&mut self, error: io::Error) {
        self.lost = true;
        if error.kind() != io::ErrorKind::BrokenPipe {
            let _ = self.messages.send(Message::OutputLost(self.name, error));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::fs::{File, OpenOptions};
    use std::io::{Read, Write};

    use super::*;
    use crate::dirs::Dir;
    use crate::testing::Scratch;

    struct World {
        _scratch: Scratch,
        inbox: Inbox,
        pumps: Pumps,
        stdout: File,
        fifo: File,
    }

    fn world() -> World {
        let scratch = Scratch::new();
        let dir = Dir::open(scratch.path()).unwrap();
        let (out, err) = (dir.make_fifo("out").unwrap(), dir.make_fifo("err").unwrap());
        let (stdout, to) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let output = Output {
            stdout: to,
            stderr: File::create("/dev/null").unwrap().into(),
        };
        let inbox = Inbox::new();
        let pumps = Pumps::start(output, &out, &err, &inbox).unwrap();
        let fifo = OpenOptions::new().write(true).open(out).unwrap();
        World {
            _scratch: scratch,
            inbox,
            pumps,
            stdout: stdout.into(),
            fifo,
        }
    }

    #[test]
    fn every_byte_arrives_before_the_drain_ends() {
        let mut world = world();
        let sent: Vec<u8> = (0..300_000u32)
            .map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1])
            .collect();
        let reader = std::thread::spawn({
            let mut stdout = world.stdout.try_clone().unwrap();
            move || {
                let mut got = vec![0; 300_000];
                stdout.read_exact(&mut got).unwrap();
                got
            }
        });
        world.fifo.write_all(&sent).unwrap();
        assert!(world.pumps.drain(&mut world.inbox, Duration::MAX));
        assert_eq!(reader.join().unwrap(), sent);
    }

    #[test]
    fn output_goes_on_after_a_writer_has_closed() {
        let mut world = world();
        for _ in 0..2 {
            world.fifo.write_all(b"x").unwrap();
            assert!(world.pumps.drain(&mut world.inbox, Duration::MAX));
        }
        let mut got = [0; 2];
        world.stdout.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"xx");
    }

    #[test]
    fn a_reader_that_went_away_stops_nothing() {
        let mut world = world();
        drop(std::mem::replace(
            &mut world.stdout,
            File::open("/dev/null").unwrap(),
        ));
        world.fifo.write_all(&vec![b'x'; 1 << 20]).unwrap();
        assert!(world.pumps.drain(&mut world.inbox, Duration::MAX));
    }

    #[test]
    fn a_reader_that_sleeps_is_left_alone_on_a_signal() {
        let mut world = world();
        world.fifo.write_all(&vec![b'x'; 100_000]).unwrap();
        world.inbox.sender().send(Message::Signal(2)).unwrap();
        assert!(!world.pumps.drain(&mut world.inbox, Duration::MAX));
        assert!(matches!(world.inbox.next(), Message::Signal(2)));
    }
}
