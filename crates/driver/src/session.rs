//! Commands that run beside a task, inside the same sandbox.
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::termios::Winsize;
use shim::{Enter, Entered, Streams};

use crate::api::{Error, ExecOutput, ExitResult, Session, Task};
use crate::result;
use crate::task::Look;

/// What Nomad keeps of a check's output: the end of it.
const KEPT_BYTES: usize = 4096;

impl Task {
    /// Runs a command beside the task to its end, or kills it when the time is over (`None`: no limit).
    ///
    /// # Errors
    /// No command, a task that does not run, a command that cannot be executed, the end of the time.
    pub fn exec(&self, command: &[String], limit: Option<Duration>) -> Result<ExecOutput, Error> {
        let mut entered = self.enter(command, false, &self.handle.env)?;
        let streams = entered.streams.take();
        let mut output = Vec::new();
        let in_time = collect(&entered, streams, limit, &mut output)
            .map_err(|source| failed("read the command's output", source))?;
        match limit {
            // Dropping it kills it.
            Some(limit) if !in_time => Err(Error::Timeout(limit)),
            _ => Ok(ExecOutput {
                output,
                result: result::from_end(entered.wait()?),
            }),
        }
    }

    /// Starts a command beside the task, with a terminal or with three pipes.
    ///
    /// # Errors
    /// No command, a task that does not run, a command that cannot be executed.
    pub fn exec_streaming(&self, command: &[String], tty: bool) -> Result<Session, Error> {
        self.exec_with(command, tty, &BTreeMap::new())
    }

    /// The same with variables that the task does not have: those of the task win.
    ///
    /// # Errors
    /// As above.
    pub fn exec_with(
        &self,
        command: &[String],
        tty: bool,
        more: &BTreeMap<String, String>,
    ) -> Result<Session, Error> {
        let env = more.iter().chain(&self.handle.env);
        let env = env.map(|(name, value)| (name.clone(), value.clone()));
        let mut entered = self.enter(command, tty, &env.collect())?;
        let streams = entered.streams.take();
        let terminal = match &streams {
            Some(Streams::Terminal(master)) => Some(
                master
                    .try_clone()
                    .map_err(|source| failed("duplicate the terminal", source))?,
            ),
            _ => None,
        };
        Ok(Session {
            streams,
            entered,
            terminal,
        })
    }

    fn enter(
        &self,
        argv: &[String],
        tty: bool,
        env: &BTreeMap<String, String>,
    ) -> Result<Entered, Error> {
        if argv.first().is_none_or(String::is_empty) {
            return Err(Error::NoCommand);
        }
        match self.look()? {
            Look::Running(shim) => Ok(shim.enter(&Enter {
                argv,
                env,
                cwd: &self.handle.cwd,
                tty,
            })?),
            Look::Exited(_) => Err(failed(
                "run a command beside the task",
                io::Error::other("the task is not running"),
            )),
        }
    }
}

/// Readable (or hung up) once the command has ended, so that its end and its output can be polled together.
impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.entered.as_fd()
    }
}

impl Session {
    /// Sets the terminal's size.
    ///
    /// # Errors
    /// Without a terminal.
    pub fn resize(&self, rows: u16, columns: u16) -> Result<(), Error> {
        let act = "resize the terminal";
        let Some(terminal) = &self.terminal else {
            return Err(failed(
                act,
                io::Error::other("attempted to resize a non-tty session"),
            ));
        };
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        rustix::termios::tcsetwinsize(terminal, size).map_err(|errno| failed(act, errno.into()))
    }

    /// A descriptor of the terminal that stays with the session, for resizing while another thread pumps.
    pub fn terminal(&self) -> Option<&OwnedFd> {
        self.terminal.as_ref()
    }

    /// Waits for the command's end.
    ///
    /// # Errors
    /// A shim that does not answer.
    pub fn wait(&mut self) -> Result<ExitResult, Error> {
        Ok(result::from_end(self.entered.wait()?))
    }
}

fn failed(act: &str, source: io::Error) -> Error {
    Error::Io {
        act: act.to_owned(),
        source,
    }
}

/// Reads both streams until the command has ended, and then what is in them: a child that it left behind may hold them open for
/// ever. `false`: the time was over first.
fn collect(
    end: &impl AsFd,
    streams: Option<Streams>,
    limit: Option<Duration>,
    output: &mut Vec<u8>,
) -> io::Result<bool> {
    let mut open = readable(streams)?;
    let deadline = limit.map(|limit| Instant::now() + limit);
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Ok(false);
        }
        let ended = poll(end.as_fd(), &open, left)?;
        let mut index = 0;
        while index < open.len() {
            if drain(&open[index], output)? {
                index += 1;
            } else {
                drop(open.swap_remove(index));
            }
        }
        if ended {
            return Ok(true);
        }
    }
}

/// The ends to read from; the command's standard input is closed.
fn readable(streams: Option<Streams>) -> io::Result<Vec<OwnedFd>> {
    let open = match streams {
        Some(Streams::Pipes { stdout, stderr, .. }) => vec![stdout, stderr],
        Some(Streams::Terminal(master)) => vec![master],
        None => Vec::new(),
    };
    for fd in &open {
        let flags = rustix::fs::fcntl_getfl(fd)?;
        rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK)?;
    }
    Ok(open)
}

/// Waits until something can be done; whether the command has ended.
fn poll(end: BorrowedFd<'_>, open: &[OwnedFd], left: Option<Duration>) -> io::Result<bool> {
    let mut fds = vec![PollFd::from_borrowed_fd(end, PollFlags::IN)];
    fds.extend(open.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
    let timeout = left.and_then(|left| Timespec::try_from(left).ok());
    match rustix::event::poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(!fds[0].revents().is_empty()),
        Err(errno) => Err(errno.into()),
    }
}

/// Reads what is there; whether more may come.
fn drain(fd: &OwnedFd, output: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = [0; KEPT_BYTES];
    // A command that writes faster than we read would be read for ever, past its deadline.
    for _ in 0..64 {
        match rustix::io::read(fd, &mut buffer) {
            Ok(0) | Err(Errno::IO) => return Ok(false),
            Ok(read) => keep(output, &buffer[..read]),
            Err(Errno::AGAIN) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(true)
}

fn keep(output: &mut Vec<u8>, more: &[u8]) {
    output.extend_from_slice(more);
    let excess = output.len().saturating_sub(KEPT_BYTES);
    output.drain(..excess);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::io::Write;

    struct Pipes {
        end: (OwnedFd, OwnedFd),
        stdout: std::fs::File,
        stderr: std::fs::File,
        streams: Streams,
    }

    fn pipes() -> Pipes {
        let [
            (end_r, end_w),
            (stdin_r, stdin_w),
            (out_r, out_w),
            (err_r, err_w),
        ] = [(); 4].map(|()| rustix::pipe::pipe().unwrap());
        drop(stdin_r);
        let streams = Streams::Pipes {
            stdin: stdin_w,
            stdout: out_r,
            stderr: err_r,
        };
        Pipes {
            end: (end_r, end_w),
            stdout: out_w.into(),
            stderr: err_w.into(),
            streams,
        }
    }

    #[test]
    fn a_child_that_holds_the_pipes_does_not_keep_a_command_alive() {
        let mut pipes = pipes();
        pipes.stdout.write_all(b"out ").unwrap();
        pipes.stderr.write_all(b"err").unwrap();
        drop(pipes.end.1);
        let mut output = Vec::new();
        assert!(collect(&pipes.end.0, Some(pipes.streams), None, &mut output).unwrap());
        assert_eq!(output, b"out err");
    }

    #[test]
    fn only_the_end_of_the_output_is_kept() {
        let mut pipes = pipes();
        pipes.stdout.write_all(&[b'a'; 5000]).unwrap();
        pipes.stderr.write_all(b"the end").unwrap();
        drop(pipes.end.1);
        let mut output = Vec::new();
        collect(&pipes.end.0, Some(pipes.streams), None, &mut output).unwrap();
        assert_eq!(output.len(), 4096);
        assert!(output.ends_with(b"aathe end"));
    }

    #[test]
    fn the_time_is_kept_also_after_the_pipes_are_closed() {
        let pipes = pipes();
        drop((pipes.stdout, pipes.stderr));
        let limit = Some(Duration::from_millis(20));
        assert!(!collect(&pipes.end.0, Some(pipes.streams), limit, &mut Vec::new()).unwrap());
    }
}
