//! The process between: it launches the fetcher, says how it ended, and takes it along when nobody waits any more.
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{DumpableBehavior, Signal};
use sandbox::{End, Process, Spec};
use serde::{Deserialize, Serialize};

/// What it is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Orders {
    pub(super) spec: Spec,
    pub(super) cgroup: cgroup::Paths,
}

/// What it says in the end.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ended {
    /// The fetcher was there, and came to its end.
    Exited(i32),
    /// By a signal.
    Killed(i32),
    /// There was never any.
    Failed(String),
}

/// A length in front says where the orders end: the pipe stays open behind them.
pub(super) fn frame(orders: &Orders) -> serde_json::Result<Vec<u8>> {
    let text = serde_json::to_vec(orders)?;
    let mut framed = (text.len() as u64).to_le_bytes().to_vec();
    framed.extend(text);
    Ok(framed)
}

pub(super) fn main() -> ExitCode {
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    // Ctrl-C is for who started us, who then closes the pipe.
    let _ = rustix::process::setsid();
    let ended = read().and_then(|orders| run(&orders));
    let ended = ended.unwrap_or_else(Ended::Failed);
    let said = serde_json::to_vec(&ended).map_or(Ok(()), |text| std::io::stdout().write_all(&text));
    match said {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn read() -> Result<Orders, String> {
    let unreadable = |error: std::io::Error| format!("read the orders: {error}");
    let mut input = std::io::stdin().lock();
    let mut length = [0; 8];
    input.read_exact(&mut length).map_err(unreadable)?;
    let mut text = Vec::new();
    let mut body = input.take(u64::from_le_bytes(length));
    body.read_to_end(&mut text).map_err(unreadable)?;
    serde_json::from_slice(&text).map_err(|error| unreadable(error.into()))
}

fn run(orders: &Orders) -> Result<Ended, String> {
    let cgroup = cgroup::Cgroup::at(&orders.cgroup);
    let prepared =
        sandbox::prepare(&orders.spec, &cgroup).map_err(|error| driver::in_one_line(&error))?;
    let process = sandbox::launch(&prepared.program).map_err(|failure| {
        let step = failure.step.and_then(|step| prepared.program.step(step));
        let step = step.map_or_else(|| "start it".to_owned(), ToString::to_string);
        format!("{step}: {}", failure.source)
    })?;
    attend(&process).map_err(|error| format!("wait for it: {error}"))
}

/// Waits for the end of the fetcher, or of whoever waits for it.
fn attend(process: &Process) -> std::io::Result<Ended> {
    let input = std::io::stdin();
    let mut awaited = 2;
    loop {
        let mut ends = [
            PollFd::new(&process.pidfd, PollFlags::IN),
            PollFd::from_borrowed_fd(input.as_fd(), PollFlags::empty()),
        ];
        match poll(&mut ends[..awaited], None) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        if !ends[1].revents().is_empty() {
            // Gone already is as good.
            let _ = rustix::process::pidfd_send_signal(&process.pidfd, Signal::KILL);
            awaited = 1;
        }
        if let Some(end) = sandbox::reap(process.pidfd.as_fd())? {
            return Ok(match end {
                End::Code(code) => Ended::Exited(code),
                End::Signal { number, .. } => Ended::Killed(number),
            });
        }
    }
}
