//! Commands beside the process.
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::pty::OpenptFlags;
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
        Ok(command) => {
            let started = command.started;
            client.wants = Wants::Command(command);
            if started {
                announce(client);
            }
        }
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
        let (near, far) = terminal(task)?;
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
    let (pid, pidfd) = sandbox::enter(&task.program, &task.process, entry)?;
    Ok(Command {
        id: pid as u32,
        child: Some(pidfd),
        started: true,
        master,
    })
}

/// A new pty, from the process's own devpts where it has one, by descriptor: nothing the process can rename is on the way.
fn terminal(task: &Task) -> io::Result<(OwnedFd, OwnedFd)> {
    let terminals = shim::sys::held(task.program.terminals);
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let master = rustix::fs::openat2(terminals, c"ptmx", flags, Mode::empty(), resolve)?;
    rustix::pty::unlockpt(&master)?;
    let open = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let far = rustix::pty::ioctl_tiocgptpeer(&master, open)?;
    // The group tty stays, so that write(1) works as usual.
    rustix::fs::fchown(&far, Some(Uid::from_raw(task.uid)), None::<Gid>)?;
    Ok((master, far))
}

/// Kills an entered command whose client has gone, and reaps it where it is our own child.
pub(crate) fn abandon(task: &Task, command: &Command) {
    if let Some(init) = &task.process.init {
        let _ = init.kill(command.id);
        return;
    }
    sandbox::kill_group(command.id as i32);
    let Some(child) = &command.child else { return };
    let mut fds = [PollFd::from_borrowed_fd(child.as_fd(), PollFlags::IN)];
    let patience = Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    let _ = poll(&mut fds, Some(&patience));
    let _ = sandbox::reap(child.as_fd());
}
