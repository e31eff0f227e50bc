//! Live output: two fifos that the task writes to, and a pump for each that copies what comes, to where it is read and
//! to where it is kept.
//!
//! A pump holds its fifo open for reading and writing, so it sees no end between two starts of a task, and what
//! matters is whether it is empty. After a task's end all its processes are dead, so whatever it wrote is in the
//! fifo: a pump that is asked to drain writes just that and says so, and no leftover writer can hold it up.
//!
//! Whoever reads our output sets the pace, as with any program: while they do not read, the task waits in write(2).
//! When they are gone (`encamp run … | head`) the task runs on and its output is thrown away, as podman has it.
pub(crate) mod lines;
pub(crate) mod logs;
pub(crate) mod sink;

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, ioctl_fionread, read, write};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::error::{Attempt, HostError};
use crate::feed::Input;
use crate::message::Inbox;
use crate::output::logs::Rotation;
use crate::output::sink::Sink;
use crate::runner::order::Message;

/// Where a run's output goes.
#[derive(Debug)]
pub struct Output {
    /// For its tasks' standard output.
    pub stdout: OwnedFd,
    /// For its tasks' standard error.
    pub stderr: OwnedFd,
    /// Whether lines begin with their task's name.
    pub prefix: Prefix,
    /// What the only task reads.
    pub input: Input,
}

/// Whether lines begin with their task's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// When there is more than one task.
    WhenSeveral,
    /// Always.
    Always,
}

/// A run's output, for all of its tasks.
#[derive(Debug)]
pub(crate) enum Outlet {
    /// One task's, byte for byte.
    Plain([OwnedFd; 2]),
    /// Line by line.
    Shared([Arc<Mutex<OwnedFd>>; 2]),
}

impl Outlet {
    pub(crate) fn of(output: Output, tasks: usize) -> Outlet {
        let Output {
            stdout,
            stderr,
            prefix,
            input: _,
        } = output;
        if tasks == 1 && prefix == Prefix::WhenSeveral {
            Outlet::Plain([stdout, stderr])
        } else {
            Outlet::Shared([stdout, stderr].map(|fd| Arc::new(Mutex::new(fd))))
        }
    }

    /// The ends of a task's two streams; `name` stands before its lines.
    pub(crate) fn sinks(&self, name: &str) -> Result<[Sink; 2], HostError> {
        match self {
            Outlet::Plain([stdout, stderr]) => Ok([plain(stdout)?, plain(stderr)?]),
            Outlet::Shared(both) => Ok(both.each_ref().map(|to| Sink::lines(Arc::clone(to), name))),
        }
    }
}

fn plain(fd: &OwnedFd) -> Result<Sink, HostError> {
    let copy = fd
        .try_clone()
        .attempt(|| "duplicate an output".to_owned())?;
    Ok(Sink::Plain(copy))
}

/// One stream of a task: from its FIFO to where it goes and is kept.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) fifo: PathBuf,
    pub(crate) sink: Sink,
    /// None: it is not kept.
    pub(crate) log: Option<Rotation>,
}

/// Two running pumps.
#[derive(Debug)]
pub(crate) struct Pumps {
    controls: Vec<OwnedFd>,
    /// How often they were asked to drain: an answer to an earlier question is none to this one.
    asked: AtomicU8,
}

impl Pumps {
    pub(crate) fn start(
        [stdout, stderr]: [Stream; 2],
        messages: &Sender<Message>,
    ) -> Result<Pumps, HostError> {
        let out = start_pump("stdout", stdout, messages.clone())?;
        let err = start_pump("stderr", stderr, messages.clone())?;
        Ok(Pumps {
            controls: vec![out, err],
            asked: AtomicU8::new(0),
        })
    }

    /// Waits until all that the ended task wrote is written, or nothing was written for so long. After an order to end,
    /// which is left in the inbox, it waits no longer than a moment: who reads our output may have stopped reading for good.
    /// True when all is written.
    pub(crate) fn drain(&self, inbox: &mut Inbox<Message>, patience: Duration) -> bool {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let mut missing = self
            .controls
            .iter()
            .filter(|control| write(control, &[number]).is_ok())
            .count();
        let mut limit = patience;
        let mut others = VecDeque::new();
        while missing > 0 {
            match inbox.next_within(limit) {
                Some(Message::Drained(of)) if of == number => missing -= 1,
                Some(Message::Drained(_)) => {}
                Some(other) => {
                    if matches!(other, Message::Kill(_) | Message::KillNow(_)) {
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
    stream: Stream,
    messages: Sender<Message>,
) -> Result<OwnedFd, HostError> {
    let Stream { fifo, sink, log } = stream;
    let from = open(
        &fifo,
        OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
    )
    .attempt(|| format!("open {}", fifo.display()))?;
    let (orders, control) = pipe_with(PipeFlags::CLOEXEC).attempt(|| "make a pipe".to_owned())?;
    let mut pump = Pump {
        name,
        from,
        sink,
        log,
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
    sink: Sink,
    log: Option<Rotation>,
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
                Ok(None) => return,
                Ok(Some(number)) => {
                    self.drain();
                    self.finish();
                    let _ = self.messages.send(Message::Drained(number));
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

    /// The number of the next request to drain; `None`: there will be none.
    fn orders(&self) -> rustix::io::Result<Option<u8>> {
        let mut waited = [PollFd::new(&self.orders, PollFlags::IN)];
        let mut number = [0; 1];
        match poll(&mut waited, Some(&rustix::event::Timespec::default()))? {
            0 => Err(Errno::AGAIN),
            _ => Ok((read(&self.orders, &mut number)? > 0).then_some(number[0])),
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
        let bytes = &self.buffer[..count];
        if let Some(log) = &mut self.log
            && let Err(error) = log.write(bytes)
        {
            let _ = self.messages.send(Message::LogLost(self.name, error));
        }
        if !self.lost
            && let Err(error) = self.sink.write(bytes)
        {
            self.lose(error);
        }
        count
    }

    /// The task has ended.
    fn finish(&mut self) {
        if !self.lost
            && let Err(error) = self.sink.finish()
        {
            self.lose(error);
        }
        let dropped = self.log.as_mut().map_or(0, Rotation::dropped);
        if dropped > 0 {
            let _ = self.messages.send(Message::LogDropped(self.name, dropped));
        }
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
    use std::path::Path;

    use super::*;
    use crate::dirs::Dir;
    use crate::runner::order::Order;
    use crate::testing::Scratch;

    struct World {
        _scratch: Scratch,
        inbox: Inbox<Message>,
        pumps: Pumps,
        stdout: File,
        fifo: File,
    }

    fn world() -> World {
        let scratch = Scratch::new();
        let dir = Dir::open(scratch.path()).unwrap();
        let (out, err) = (dir.make_fifo("out").unwrap(), dir.make_fifo("err").unwrap());
        let (stdout, to) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let null = File::create("/dev/null").unwrap().into();
        let stream = |fifo: &Path, to| Stream {
            fifo: fifo.to_owned(),
            sink: Sink::Plain(to),
            log: None,
        };
        let inbox = Inbox::new();
        let streams = [stream(&out, to), stream(&err, null)];
        let pumps = Pumps::start(streams, &inbox.sender()).unwrap();
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
    fn what_answers_an_earlier_drain_does_not_end_a_later_one() {
        let mut world = world();
        world.fifo.write_all(&vec![b'x'; 100_000]).unwrap();
        let moment = Duration::from_millis(10);
        assert!(!world.pumps.drain(&mut world.inbox, moment));
        for _ in 0..2 {
            let late = Message::Drained(0);
            world.inbox.sender().send(late).unwrap();
        }
        assert!(!world.pumps.drain(&mut world.inbox, moment));
    }

    #[test]
    fn a_reader_that_sleeps_is_left_alone_when_the_task_is_to_end() {
        let mut world = world();
        world.fifo.write_all(&vec![b'x'; 100_000]).unwrap();
        let order = Order::default();
        world.inbox.sender().send(Message::Kill(order)).unwrap();
        assert!(!world.pumps.drain(&mut world.inbox, Duration::MAX));
        assert!(matches!(world.inbox.next(), Message::Kill(_)));
    }
}
