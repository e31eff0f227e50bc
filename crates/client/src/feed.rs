//! What the only task of a run reads: the caller's standard input, through a pipe or a terminal of the task's own.
//!
//! A thread passes it on as long as the task runs. What a task prints to its terminal goes into the fifo of its
//! standard output, as if it had written there, so that it comes out and is kept like any other's.
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use driver::task_config::Stdin;
use jobspec::{Group, Job};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::error::{Attempt, Error, HostError};
use crate::tty::{self, Escape, Raw, Relay, Wake};

/// What the only task of a run reads.
#[derive(Debug)]
pub enum Input {
    /// Nothing.
    Nothing,
    /// This, through a pipe.
    Pipe(OwnedFd),
    /// Through a terminal of its own, what is typed at this one; `None`: nothing is.
    Terminal(Option<OwnedFd>),
}

impl Input {
    /// Only a job with one task can be given something to read.
    pub(crate) fn check(&self, job: &Job) -> Result<(), Error> {
        let of_group = |group: &Group| group.count as usize * group.tasks.len();
        let tasks = job.groups.iter().map(of_group).sum();
        match self {
            Input::Pipe(_) | Input::Terminal(_) if tasks != 1 => Err(Error::Input { tasks }),
            _ => Ok(()),
        }
    }
}

/// Lines and columns where nobody has a terminal.
const USUAL: (u16, u16) = (24, 80);

/// How long a relay may take to pass on the last that a task has printed: who reads our output may have stopped.
const LAST: Duration = Duration::from_secs(3);

/// Feeds one start of a task after the other.
#[derive(Debug)]
pub(crate) struct Feed {
    input: Input,
    /// Where a terminal's output goes.
    fifo: PathBuf,
    beside: Mutex<Option<Beside>>,
}

/// What goes on beside one start.
#[derive(Debug)]
struct Beside {
    /// Dropped when the task has ended.
    end: OwnedFd,
    /// Says when the relay has passed on everything.
    done: Receiver<()>,
    raw: Option<Raw>,
}

impl Feed {
    /// `None`: there is nothing to feed.
    pub(crate) fn new(input: Input, fifo: PathBuf) -> Option<Feed> {
        let feeds = !matches!(input, Input::Nothing);
        feeds.then(|| Feed {
            input,
            fifo,
            beside: Mutex::default(),
        })
    }

    /// With what a start is to be asked for.
    pub(crate) fn stdin(&self) -> Stdin {
        match &self.input {
            Input::Nothing => Stdin::Null,
            Input::Pipe(_) => Stdin::Pipe,
            Input::Terminal(_) => {
                let (rows, columns) = own_size().unwrap_or(USUAL);
                Stdin::Terminal { rows, columns }
            }
        }
    }

    /// What kind of terminal it is, for the task's environment.
    pub(crate) fn term(&self) -> Option<String> {
        let is_terminal = matches!(self.input, Input::Terminal(_));
        std::env::var("TERM").ok().filter(|_| is_terminal)
    }

    /// A start has begun; `near` is the other end of its descriptor 0.
    pub(crate) fn begin(&self, near: OwnedFd) -> Result<(), HostError> {
        let beside = self
            .start(near)
            .attempt(|| "pass standard input on to the task".to_owned())?;
        *self.lock() = Some(beside);
        Ok(())
    }

    /// The start has ended: everything it printed is passed on, and the caller's terminal is as it was.
    pub(crate) fn end(&self) {
        let Some(Beside { end, done, raw }) = self.lock().take() else {
            return;
        };
        drop(end);
        let _ = done.recv_timeout(LAST);
        drop(raw);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Beside>> {
        self.beside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, near: OwnedFd) -> io::Result<Beside> {
        let (ended, end) = pipe_with(PipeFlags::CLOEXEC)?;
        let (done, is_done) = channel();
        let (typed, terminal) = match &self.input {
            Input::Nothing => (None, false),
            Input::Pipe(from) => (Some(from.try_clone()?), false),
            Input::Terminal(from) => (from.as_ref().map(OwnedFd::try_clone).transpose()?, true),
        };
        let raw = match &typed {
            Some(from) if terminal => Some(Raw::new(from)?),
            _ => None,
        };
        let line = Line {
            typed,
            shown: terminal.then(|| open(&self.fifo)).transpose()?,
            near,
            ended,
        };
        thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || {
                // What cannot be passed on is missed by the task, and by nobody else.
                let _ = line.pass_on();
                let _ = done.send(());
            })?;
        Ok(Beside {
            end,
            done: is_done,
            raw,
        })
    }
}

/// Both ends of what is passed on.
struct Line {
    typed: Option<OwnedFd>,
    near: OwnedFd,
    /// Where a terminal's output goes.
    shown: Option<OwnedFd>,
    ended: OwnedFd,
}

impl Line {
    fn pass_on(self) -> io::Result<()> {
        let Line {
            typed,
            near,
            shown,
            ended,
        } = self;
        let wake = shown.as_ref().map(|_| Wake::on_resize()).transpose()?;
        // Of a pipe nothing else may stay open: its end is the end of the task's input.
        let copy = || near.try_clone();
        let terminal = shown.as_ref().map(|_| copy()).transpose()?;
        let printed = match &shown {
            Some(shown) => vec![(copy()?, shown.as_fd())],
            None => vec![],
        };
        let relay = Relay {
            typed: typed.as_ref().map(AsFd::as_fd),
            to: Some(near),
            printed,
            end: ended.as_fd(),
            escape: Escape::new(None),
            wake: wake.as_ref(),
            resized: &mut || {
                terminal
                    .iter()
                    .for_each(|terminal| resize(terminal.as_fd()))
            },
        };
        relay.run().map(drop)
    }
}

/// For writing; our pump reads it.
fn open(fifo: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(fifo, flags, Mode::empty())?)
}

/// The size of the terminal that the run's output goes to.
fn own_size() -> Option<(u16, u16)> {
    tty::size(std::io::stdout()).or_else(|| tty::size(std::io::stdin()))
}

fn resize(terminal: BorrowedFd<'_>) {
    if let Some((rows, columns)) = own_size() {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // A terminal that is gone has no size any more.
        let _ = tcsetwinsize(terminal, size);
    }
}
