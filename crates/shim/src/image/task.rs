//! The process that is watched, and its end.
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cgroup::Cgroup;
use rustix::process::Signal;
use sandbox::{End, Process, Program};
use shim::identity;
use shim::orders::Orders;
use shim::protocol::{Finish, Record, Running};

use crate::signals::is_deaf_to;

/// How long the kernel may take to end what was killed.
const EMPTYING: Duration = Duration::from_secs(10);

/// The process, and what is known of it.
pub(crate) struct Task {
    pub(crate) program: Program,
    pub(crate) process: Process,
    pub(crate) running: Running,
    pub(crate) uid: u32,
    pub(crate) foreground: bool,
    state: OwnedFd,
    cgroup: Cgroup,
    oom_kills: u64,
    stopped_by: Option<i32>,
    forced: bool,
    deaf: bool,
    /// When patience is over.
    pub(crate) deadline: Option<Instant>,
}

impl Task {
    pub(crate) fn new(orders: Orders, process: Process, state: OwnedFd) -> Task {
        let cgroup = Cgroup::at(&orders.cgroup);
        let Orders {
            program,
            foreground,
            oom_kills,
            uid,
            ..
        } = orders;
        let running = running(&process);
        Task {
            program,
            process,
            running,
            uid,
            foreground,
            state,
            cgroup,
            oom_kills,
            stopped_by: None,
            forced: false,
            deaf: false,
            deadline: None,
        }
    }

    /// One signal, as the kernel delivers it.
    pub(crate) fn signal(&self, signal: i32) -> Result<(), i32> {
        sandbox::sys::pidfd_send_signal(self.process.pidfd.as_fd(), signal)
            .map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))
    }

    /// Polite, then hard. A second stop with less patience wins.
    pub(crate) fn stop(&mut self, signal: i32, grace: Duration) {
        let first = self.stopped_by.is_none();
        self.stopped_by.get_or_insert(signal);
        if grace.is_zero() {
            return self.kill();
        }
        let alone =
            self.process.init.is_none() && self.program.clone & libc::CLONE_NEWPID as u64 != 0;
        if alone && is_deaf_to(self.running.pid, signal) {
            self.deaf = first;
            return self.kill();
        }
        // ESRCH: it is ending already, and its pidfd will say so.
        let _ = self.signal(signal);
        // Patience beyond what a clock can hold has no end.
        let deadlines = [self.deadline, Instant::now().checked_add(grace)];
        self.deadline = deadlines.into_iter().flatten().min();
    }

    /// SIGKILL to everything.
    pub(crate) fn kill(&mut self) {
        self.forced = true;
        self.deadline = None;
        let _ = rustix::process::pidfd_send_signal(&self.process.pidfd, Signal::KILL);
        if let Some(init) = &self.process.init {
            let _ = rustix::process::pidfd_send_signal(init.pidfd(), Signal::KILL);
        }
        // What cannot be killed through the cgroup is killed by its namespace or found by `conclude`.
        let _ = self.cgroup.kill();
    }

    /// After the process has ended: nothing of it is left, and the record is written.
    pub(crate) fn conclude(&self, end: End) -> Record {
        if self
            .cgroup
            .processes()
            .map_or(true, |left| !left.is_empty())
        {
            // Stuck in the kernel: recovery or the next start tries again.
            let _ = self.cgroup.empty(EMPTYING);
        }
        let oom_kills = self
            .cgroup
            .oom_kills()
            .unwrap_or(self.oom_kills)
            .saturating_sub(self.oom_kills);
        let record = Record {
            finish: Finish::from(end),
            oom_kills,
            stopped_by: self.stopped_by,
            forced: self.forced,
            deaf: self.deaf,
            ended_at: now(),
        };
        // A full disk must not keep the end from whoever waits on the socket.
        let _ = shim::record::write(self.state.as_fd(), &record, !self.foreground);
        record
    }
}

fn running(process: &Process) -> Running {
    let init = process.init.as_ref().map(|init| init.pidfd());
    let pid = identity::host_pid(process.pidfd.as_fd()).unwrap_or(0);
    Running {
        pid,
        // Gone already: then nobody can mistake it for another.
        start_time: identity::start_time(&pid.to_string()).unwrap_or(0),
        shim_pid: identity::own_pid().unwrap_or(0),
        shim_start_time: identity::start_time("self").unwrap_or(0),
        init_pid: init
            .and_then(|init| identity::host_pid(init).ok())
            .unwrap_or(0),
        started_at: now(),
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}
