//! `encamp exec`: a command beside a task.
use std::io::IsTerminal;
use std::os::fd::{AsFd, BorrowedFd};

use client::tty::{self, Ended, Escape, Raw, Relay, Wake};
use driver::{Session, Streams};

use crate::cli::{Exec, Global};
use crate::commands::seen;
use crate::failure::Failure;

pub(crate) fn run(exec: &Exec, global: &Global) -> Result<u8, Failure> {
    let stdin = std::io::stdin();
    if exec.tty && exec.interactive && !stdin.is_terminal() {
        return Err(Failure::NoTerminal);
    }
    let seen = seen::find_one(global, &exec.target)?;
    let Some(task) = seen.task() else {
        return Err(seen::not_running(&exec.target, &[seen]));
    };
    let term = std::env::var("TERM").ok().filter(|_| exec.tty);
    let more = term
        .map(|term| ("TERM".to_owned(), term))
        .into_iter()
        .collect();
    let mut session = task.exec_with(&exec.command, exec.tty, &more)?;
    let typed = exec.interactive.then_some(stdin.as_fd());
    let ended = if exec.tty {
        in_terminal(&mut session, typed, exec.escape.0)?
    } else {
        in_pipes(&mut session, typed)?
    };
    match ended {
        Ended::Command => Ok(client::exit::of_task(&session.wait()?)),
        // Dropping the session kills the command.
        Ended::Escaped => Ok(0),
        Ended::Unread => Ok(client::exit::of_signal(SIGPIPE)),
        Ended::Signal(signal) => Ok(client::exit::of_signal(signal)),
    }
}

/// What a program ends by that writes to nobody.
const SIGPIPE: i32 = 13;

fn in_pipes(session: &mut Session, typed: Option<BorrowedFd<'_>>) -> Result<Ended, Failure> {
    let Some(Streams::Pipes {
        stdin,
        stdout,
        stderr,
    }) = session.streams.take()
    else {
        return Ok(Ended::Command);
    };
    let (out, err) = (std::io::stdout(), std::io::stderr());
    let relay = Relay {
        // Without -i the command's input ends at once.
        to: typed.is_some().then_some(stdin),
        typed,
        printed: vec![(stdout, out.as_fd()), (stderr, err.as_fd())],
        end: session.as_fd(),
        escape: Escape::new(None),
        wake: None,
        resized: &mut || {},
    };
    Ok(relay.run()?)
}

fn in_terminal(
    session: &mut Session,
    typed: Option<BorrowedFd<'_>>,
    escape: Option<u8>,
) -> Result<Ended, Failure> {
    let Some(Streams::Terminal(master)) = session.streams.take() else {
        return Ok(Ended::Command);
    };
    let out = std::io::stdout();
    let session = &*session;
    let resize = || {
        if let Some((rows, columns)) = tty::size(std::io::stdout()) {
            // A command that has ended has no size any more.
            let _ = session.resize(rows, columns);
        }
    };
    resize();
    let wake = Wake::on_resize_and_end()?;
    let _raw = typed.map(Raw::new).transpose()?;
    let relay = Relay {
        typed,
        to: Some(master.try_clone()?),
        printed: vec![(master, out.as_fd())],
        end: session.as_fd(),
        escape: Escape::new(escape),
        wake: Some(&wake),
        resized: &mut || resize(),
    };
    Ok(relay.run()?)
}
