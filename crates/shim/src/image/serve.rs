//! The loop: wait for the end, for clients, and for the end of patience.
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::SocketFlags;
use sandbox::{End, init};
use shim::protocol::{self, Finish, Reply, Request};

use crate::client::{Client, Command, Wants};
use crate::enter::{self, Asked};
use crate::task::Task;

/// More than anybody needs, fewer than would exhaust descriptors.
const CLIENTS: usize = 256;
/// How long to leave a listener alone that cannot be accepted from.
const PAUSE: Duration = Duration::from_millis(10);

/// Announces the process and stays until its end has been recorded and told.
pub(crate) fn serve(task: Task, control: OwnedFd, listener: OwnedFd) {
    let control = Client::new(control);
    control.tell(&Reply::Running(task.running), &[]);
    let mut watch = Watch {
        task,
        control: Some(control),
        clients: vec![],
        listener,
        next: init::MAIN,
        dying: vec![],
    };
    let end = loop {
        if let Some(end) = watch.turn() {
            break end;
        }
    };
    let record = watch.task.conclude(end);
    for client in &watch.clients {
        match &client.wants {
            Wants::End => client.tell(&Reply::Ended(record), &[]),
            // The namespace took it along.
            Wants::Command(_) => client.tell(&Reply::Finished(KILLED), &[]),
            Wants::Nothing => {}
        }
    }
}

const KILLED: Finish = Finish {
    code: 0,
    signal: libc::SIGKILL,
    core: false,
};

struct Watch {
    task: Task,
    /// The connection of whoever started the process; it only ever ends.
    control: Option<Client>,
    clients: Vec<Client>,
    listener: OwnedFd,
    next: u32,
    /// Children of ours that were killed and are not reaped yet.
    dying: Vec<OwnedFd>,
}

/// Which of the polled descriptors had something.
struct Ready {
    process: bool,
    init: bool,
    listener: bool,
    control: bool,
    clients: Vec<usize>,
    commands: Vec<usize>,
}

impl Watch {
    /// Waits once and handles what came. The end of the process ends the watch.
    fn turn(&mut self) -> Option<End> {
        let ready = self.wait();
        if self
            .task
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            self.task.kill();
        }
        if let Some(end) = self.ended(&ready) {
            return Some(end);
        }
        for index in ready.commands {
            self.command_changed(index);
        }
        self.dying
            .retain(|child| matches!(sandbox::reap(child.as_fd()), Ok(None)));
        let mut gone = vec![];
        for index in ready.clients {
            if !self.listen(index) {
                gone.push(index);
            }
        }
        for index in gone.into_iter().rev() {
            self.forget(index);
        }
        if ready.control {
            self.control = None;
            if self.task.foreground {
                self.task.kill();
            }
        }
        if ready.listener {
            self.accept();
        }
        None
    }

    fn wait(&self) -> Ready {
        let process = &self.task.process;
        let mut fds = vec![PollFd::from_borrowed_fd(
            process.pidfd.as_fd(),
            PollFlags::IN,
        )];
        let channel = process
            .init
            .as_ref()
            .map_or(process.pidfd.as_fd(), |init| init.channel());
        fds.push(PollFd::from_borrowed_fd(channel, PollFlags::IN));
        // More than these wait in the backlog: turned away, they would take us for dead.
        let room = self.clients.len() < CLIENTS;
        let accepting = if room {
            PollFlags::IN
        } else {
            PollFlags::empty()
        };
        fds.push(PollFd::from_borrowed_fd(self.listener.as_fd(), accepting));
        let control = self
            .control
            .as_ref()
            .map_or(self.listener.as_fd(), |control| control.socket.as_fd());
        fds.push(PollFd::from_borrowed_fd(control, PollFlags::IN));
        fds.extend(
            self.clients
                .iter()
                .map(|client| PollFd::from_borrowed_fd(client.socket.as_fd(), PollFlags::IN)),
        );
        let children: Vec<(usize, BorrowedFd<'_>)> = self.children().collect();
        fds.extend(
            children
                .iter()
                .map(|(_, child)| PollFd::from_borrowed_fd(*child, PollFlags::IN)),
        );
        fds.extend(
            self.dying
                .iter()
                .map(|child| PollFd::from_borrowed_fd(child.as_fd(), PollFlags::IN)),
        );
        let timeout = self.task.deadline.map(|deadline| {
            let left =
                deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            Timespec {
                tv_sec: left.as_secs() as i64,
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        // An error here would only make this turn an empty one.
        let _ = poll(&mut fds, timeout.as_ref());
        let up: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let first = 4;
        let clients = (0..self.clients.len())
            .filter(|index| up[first + index])
            .collect();
        let after = first + self.clients.len();
        let commands = children
            .iter()
            .enumerate()
            .filter(|(n, _)| up[after + n])
            .map(|(_, (index, _))| *index)
            .collect();
        Ready {
            process: up[0],
            init: process.init.is_some() && up[1],
            listener: up[2],
            control: self.control.is_some() && up[3],
            clients,
            commands,
        }
    }

    /// Entered commands that are our own children, with their client's index.
    fn children(&self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        self.clients
            .iter()
            .enumerate()
            .filter_map(|(index, client)| match &client.wants {
                Wants::Command(command) => Some((index, command.watched()?)),
                _ => None,
            })
    }

    /// Whether and how the process has ended.
    fn ended(&mut self, ready: &Ready) -> Option<End> {
        if self.task.process.init.is_none() {
            let end = ready
                .process
                .then(|| sandbox::reap(self.task.process.pidfd.as_fd()))?;
            return end.ok().flatten();
        }
        if !ready.init {
            return None;
        }
        loop {
            let event = self.task.process.init.as_ref()?.event();
            match event {
                Ok(Some(init::Event::Ended(init::MAIN, end))) => {
                    self.bury_init();
                    return Some(end);
                }
                Ok(Some(event)) => self.pass_on(event),
                // Init is gone without a word: it was killed, and with it everything in its namespace.
                Ok(None) | Err(_) => {
                    self.bury_init();
                    return Some(End::Signal {
                        number: libc::SIGKILL,
                        core: false,
                    });
                }
            }
            if !self.more_from_init() {
                return None;
            }
        }
    }

    fn more_from_init(&self) -> bool {
        let Some(init) = &self.task.process.init else {
            return false;
        };
        let mut fds = [PollFd::from_borrowed_fd(init.channel(), PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut fds, Some(&now)).is_ok_and(|n| n > 0)
    }

    /// Init ends once the kernel has ended everything in its namespace: only then is nothing left.
    fn bury_init(&self) {
        let Some(init) = &self.task.process.init else {
            return;
        };
        let mut fds = [PollFd::from_borrowed_fd(init.pidfd(), PollFlags::IN)];
        let patience = Timespec {
            tv_sec: 5,
            tv_nsec: 0,
        };
        let _ = poll(&mut fds, Some(&patience));
        let _ = sandbox::reap(init.pidfd());
    }

    fn pass_on(&mut self, event: init::Event) {
        let (init::Event::Started(id, _) | init::Event::Ended(id, _) | init::Event::Failed(id, _)) =
            &event;
        let id = *id;
        let found = self
            .clients
            .iter_mut()
            .find(|client| matches!(&client.wants, Wants::Command(c) if c.id == id));
        let Some(client) = found else { return };
        match event {
            init::Event::Started(..) => enter::announce(client),
            init::Event::Ended(_, end) => {
                client.tell(&Reply::Finished(end.into()), &[]);
                client.wants = Wants::Nothing;
            }
            init::Event::Failed(_, failure) => {
                let failed = enter::failed(&failure);
                client.tell(&Reply::NotEntered(failed), &[]);
                client.wants = Wants::Nothing;
            }
        }
    }

    /// An entered command that is our own child was executed, or was not, or has ended.
    fn command_changed(&mut self, index: usize) {
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        let Wants::Command(Command {
            child: Some(child),
            started,
            ..
        }) = &client.wants
        else {
            return;
        };
        let reply = if *started {
            match sandbox::reap(child.pidfd.as_fd()) {
                Ok(Some(end)) => Reply::Finished(end.into()),
                _ => return,
            }
        } else {
            match sandbox::executed(child.report.as_fd()) {
                Ok(()) => return enter::announce(client),
                Err(failure) => Reply::NotEntered(enter::failed(&failure)),
            }
        };
        client.tell(&reply, &[]);
        self.release(index);
    }

    /// A command is over for its client; where it is our own child it may still have to be reaped.
    fn release(&mut self, index: usize) {
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        if let Wants::Command(Command {
            child: Some(child), ..
        }) = std::mem::replace(&mut client.wants, Wants::Nothing)
        {
            self.dying.push(child.pidfd);
        }
    }

    fn accept(&mut self) {
        let Ok(socket) = rustix::net::accept_with(&self.listener, SocketFlags::CLOEXEC) else {
            // Out of descriptors: the listener stays readable, and asking at once again would only burn time.
            return std::thread::sleep(PAUSE);
        };
        let own = rustix::process::geteuid().as_raw();
        // The directory keeps others out already; this holds also when it was opened up by mistake.
        let allowed =
            sandbox::sys::peer_uid(socket.as_fd()).is_ok_and(|uid| uid == 0 || uid == own);
        if allowed {
            self.clients.push(Client::new(socket));
        }
    }

    /// Handles one message. `false`: the client is gone.
    fn listen(&mut self, index: usize) -> bool {
        let Some(client) = self.clients.get(index) else {
            return true;
        };
        let (request, fds) = match protocol::receive::<Request>(client.socket.as_fd()) {
            Ok(Some(message)) => message,
            Ok(None) | Err(_) => return false,
        };
        // One request a connection, until it is answered.
        if !matches!(client.wants, Wants::Nothing) {
            return false;
        }
        self.obey(index, request, fds);
        true
    }

    fn obey(&mut self, index: usize, request: Request, fds: Vec<OwnedFd>) {
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        match request {
            Request::Hello => client.tell(&Reply::Running(self.task.running), &[]),
            Request::Wait => client.wants = Wants::End,
            Request::Signal(signal) => match self.task.signal(signal) {
                Ok(()) => client.tell(&Reply::Done, &[]),
                Err(errno) => client.tell(&Reply::Refused(errno), &[]),
            },
            Request::Stop { signal, grace_ms } => {
                client.wants = Wants::End;
                self.task.stop(signal, Duration::from_millis(grace_ms));
            }
            Request::Enter { cwd, tty } => {
                enter::enter(&self.task, client, Asked { cwd, tty, fds }, &mut self.next);
            }
        }
    }

    fn forget(&mut self, index: usize) {
        let client = self.clients.remove(index);
        if let Wants::Command(command) = client.wants {
            self.dying.extend(enter::abandon(&self.task, command));
        }
    }
}
