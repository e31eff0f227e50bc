//! Commands beside the process.
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::process::Signal;
use sandbox::{Entry, Failure};
use shim::protocol::{Failed, Reply};

use crate::client::{Client, Command, Wants};
use crate::task::Task;

/// What a client asked to be run.
pub(crate) struct Asked {
    pub(crate) cwd: CString,
    pub(crate) tty: bool,
    /// The block, and without a terminal 0, 1 and 2.
    pub(crate) fds: Vec<OwnedFd>,
}

/// Starts it, or asks init to.
pub(crate) fn enter(task: &Task, client: &mut Client, asked: Asked, next: &mut u32) {
    match try_enter(task, asked, next) {
        Ok(command) => client.wants = Wants::Command(command),
        Err(failure) => client.tell(&Reply::NotEntered(failed(&failure)), &[]),
    }
}

/// Tells the client that its command runs, with the terminal's master if there is one.
pub(crate) fn announce(client: &mut Client) {
    let Wants::Command(command) = &mut client.wants else {
        return;
    };
    command.started = true;
    let master = command.master.take();
    let fds: Vec<_> = master.iter().map(|fd| fd.as_fd()).collect();
    client.tell(&Reply::Entered, &fds);
}

/// A failure as it is told.
pub(crate) fn failed(failure: &Failure) -> Failed {
    let errno = failure.source.raw_os_error().unwrap_or(libc::EIO);
    Failed {
        step: failure.step.map(|step| step as u32),
        errno,
        exec: failure.exec,
    }
}

fn try_enter(task: &Task, asked: Asked, next: &mut u32) -> Result<Command, Failure> {
    let mut fds = asked.fds;
    let mut master = None;
    if asked.tty {
        let (near, far) =
            sandbox::terminal::open(shim::sys::held(task.program.terminals), task.uid)?;
        master = Some(near);
        let copies = [far.try_clone(), far.try_clone()];
        fds.push(far);
        for copy in copies {
            fds.push(copy?);
        }
    }
    let [block, stdin, stdout, stderr] = &fds[..] else {
        return Err(io::Error::from_raw_os_error(libc::EINVAL).into());
    };
    let stdio = [stdin, stdout, stderr].map(|fd| fd.as_raw_fd());
    let namespaces = sandbox::namespaces(&task.program, &task.process);
    let entry = Entry {
        namespaces,
        stdio,
        tty: asked.tty,
        cwd: asked.cwd,
        block: block.as_raw_fd(),
    };
    if let Some(init) = &task.process.init {
        *next += 1;
        let all: Vec<_> = fds.iter().map(|fd| fd.as_fd()).collect();
        init.enter(*next, &entry, &all)?;
        return Ok(Command {
            id: *next,
            child: None,
            started: false,
            master,
        });
    }
    let child = sandbox::enter(&task.program, &task.process, entry)?;
    Ok(Command {
        id: child.pid as u32,
        child: Some(child),
        started: false,
        master,
    })
}

/// Kills an entered command whose client has gone. Returns our own child: it is still to be reaped.
pub(crate) fn abandon(task: &Task, command: Command) -> Option<OwnedFd> {
    if let Some(init) = &task.process.init {
        // It cannot be told when it is frozen, and then the command cannot run either: it ends with the process.
        let _ = init.kill(command.id);
    }
    let child = command.child?;
    // Before its setsid it leads no group yet.
    let _ = rustix::process::pidfd_send_signal(&child.pidfd, Signal::KILL);
    sandbox::kill_group(child.pid);
    Some(child.pidfd)
}
