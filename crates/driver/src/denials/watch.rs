//! The reader: a thread that sleeps until something is denied.
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use sandbox::audit::{Error, Left, Listener, Switch, knock, status};

use super::seen::Seen;
use super::{Denials, Means, advice};
use crate::denials::seen::Domain;

/// How long the kernel may take to pass records on.
const PASSING_ON: Duration = Duration::from_millis(500);

/// How long nothing is read after a flood. What others are denied meanwhile is lost with it, and that is known.
const REST: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// Numbers knocks, so that each waits for its own.
static KNOCKS: AtomicU32 = AtomicU32::new(0);

/// Reads along with kernel audit as long as it lives, for all tasks of this process.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    stop: OwnedFd,
    reader: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    seen: Mutex<Seen>,
    /// Told when a knock came back, when there are news, and when nothing more will come.
    changed: Condvar,
    /// Records that the kernel had lost when it was asked last.
    lost: AtomicU32,
}

/// What had been lost before a task began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Before {
    losses: u64,
    lost: u32,
}

impl Watch {
    /// Starts reading; switches audit on where that is allowed and harms nobody.
    ///
    /// # Errors
    /// Why nothing can be heard here.
    pub fn open(lock: &Path, left: Left) -> Result<Watch, Error> {
        // Before it is on: the kernel would record the reader.
        let listener = Listener::open()?;
        let switch = Switch::hold(lock, left)?;
        let shared = Arc::new(Shared {
            seen: Mutex::new(Seen::new(Instant::now())),
            changed: Condvar::new(),
            lost: AtomicU32::new(switch.lost),
        });
        let failed = |source: io::Error| Error::Call {
            act: "start a reader of kernel audit",
            source,
        };
        let stop = eventfd(0, EventfdFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let theirs = stop.try_clone().map_err(failed)?;
        let reader = Reader {
            listener,
            switch,
            stop: theirs,
            shared: Arc::clone(&shared),
        };
        let reader = thread::Builder::new()
            .name("denials".to_owned())
            .spawn(move || reader.read())
            .map_err(failed)?;
        Ok(Watch {
            shared,
            stop,
            reader: Mutex::new(Some(reader)),
        })
    }

    /// From now on what the domain that this process made denies is kept.
    pub(super) fn follow(&self, pid: i32, known: Option<u64>) -> Before {
        let mut seen = lock(&self.shared.seen);
        seen.follow(pid, known);
        // It may have been denied something before.
        self.shared.changed.notify_all();
        Before {
            losses: seen.losses,
            lost: self.shared.lost.load(Relaxed),
        }
    }

    /// Has what was denied already be news once more.
    pub(super) fn remind(&self, pid: i32) {
        let mut seen = lock(&self.shared.seen);
        if seen.of(pid).is_some() {
            seen.news += 1;
            self.shared.changed.notify_all();
        }
    }

    pub(super) fn unfollow(&self, pid: i32) {
        lock(&self.shared.seen).unfollow(pid);
    }

    /// The number of the domain that this process made, once it has denied something.
    pub(super) fn domain(&self, pid: i32) -> Option<u64> {
        lock(&self.shared.seen).id_of(pid)
    }

    /// What that domain has denied.
    pub(super) fn denials(&self, pid: i32, before: Before, means: &Means) -> Denials {
        self.told(before, means, |seen| seen.of(pid).cloned())
    }

    /// What of it was not told yet.
    pub(super) fn untold(&self, pid: i32, before: Before, means: &Means) -> Denials {
        self.told(before, means, |seen| seen.untold(pid))
    }

    fn told(
        &self,
        before: Before,
        means: &Means,
        find: impl FnOnce(&mut Seen) -> Option<Domain>,
    ) -> Denials {
        // Asked before the lock is taken: the reader must not wait for the kernel's answer.
        let lost = status().map_or(before.lost, |now| now.lost);
        self.shared.lost.store(lost, Relaxed);
        let mut seen = lock(&self.shared.seen);
        let losses = seen.losses;
        let resting = seen.resting;
        let domain = find(&mut seen);
        drop(seen);
        let denials = domain.map(|domain| advice::denials(&domain, means));
        Denials {
            incomplete: resting || before != (Before { losses, lost }),
            ..denials.unwrap_or_default()
        }
    }

    /// Waits until everything that was denied before has been read: what we make the kernel record now comes behind it.
    pub(super) fn catch_up(&self) {
        let is_deaf = |seen: &Seen| seen.over || seen.resting;
        let name = format!("knock-{}", KNOCKS.fetch_add(1, Relaxed));
        if is_deaf(&lock(&self.shared.seen)) || knock(&name).is_err() {
            return;
        }
        let waiting = |seen: &mut Seen| !is_deaf(seen) && !seen.answered(name.as_bytes());
        let seen = lock(&self.shared.seen);
        // Without an answer what has come so far is what there is.
        drop(
            self.shared
                .changed
                .wait_timeout_while(seen, PASSING_ON, waiting),
        );
    }

    /// Tells from now on when there is something new.
    pub fn news(&self) -> News {
        News {
            heard: lock(&self.shared.seen).news,
            shared: Arc::clone(&self.shared),
        }
    }

    /// Ends the reading. Putting audit back takes the kernel some milliseconds: whoever has other things to do does them meanwhile, and
    /// drops this later.
    pub fn end(&self) {
        // Only a counter that has been written to 2^64 times would not take another.
        let _ = rustix::io::write(&self.stop, &1u64.to_ne_bytes());
    }

    /// The same, and waits until audit is put back, whoever else has this still.
    pub fn close(&self) {
        self.end();
        if let Some(reader) = lock(&self.reader).take() {
            let _ = reader.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.close();
    }
}

/// Says when something was denied that nobody knows of yet.
#[derive(Debug)]
pub struct News {
    shared: Arc<Shared>,
    heard: u64,
}

impl News {
    /// Waits until a task that is watched was denied something new. `false`: nothing more will come.
    pub fn wait(&mut self) -> bool {
        let heard = self.heard;
        let quiet = |seen: &mut Seen| !seen.over && seen.news == heard;
        let waited = self
            .shared
            .changed
            .wait_while(lock(&self.shared.seen), quiet);
        let seen = waited.unwrap_or_else(PoisonError::into_inner);
        self.heard = seen.news;
        !seen.over
    }
}

/// What the thread works with.
struct Reader {
    listener: Listener,
    switch: Switch,
    stop: OwnedFd,
    shared: Arc<Shared>,
}

impl Reader {
    fn read(mut self) {
        while self.wait() && (self.take_all() || self.rest()) {}
        lock(&self.shared.seen).over = true;
        self.shared.changed.notify_all();
        // Audit is put back before the reader leaves: the kernel would record that it does.
        drop(self.switch);
        drop(self.listener);
    }

    /// `false`: it is time to end.
    fn wait(&self) -> bool {
        let mut fds = [
            PollFd::from_borrowed_fd(self.listener.socket(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.stop.as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, None::<&Timespec>) {
            Ok(_) => fds[1].revents().is_empty(),
            Err(errno) => errno == rustix::io::Errno::INTR,
        }
    }

    /// `false`: it is time to end.
    fn rest(&self) -> bool {
        lock(&self.shared.seen).resting = true;
        self.shared.changed.notify_all();
        let mut stop = [PollFd::from_borrowed_fd(self.stop.as_fd(), PollFlags::IN)];
        let ended = poll(&mut stop, Some(&REST));
        lock(&self.shared.seen).resting = false;
        matches!(ended, Ok(0) | Err(rustix::io::Errno::INTR))
    }

    /// `false`: it is enough for a while.
    fn take_all(&mut self) -> bool {
        while let Ok(Some(heard)) = self.listener.hear() {
            let mut seen = lock(&self.shared.seen);
            let before = (seen.knocks.len(), seen.news);
            if !seen.take(heard, Instant::now()) {
                return false;
            }
            if (seen.knocks.len(), seen.news) != before {
                self.shared.changed.notify_all();
            }
        }
        true
    }
}

/// A thread that panicked with the lock held left nothing half written that matters to others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
