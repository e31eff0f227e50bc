//! The reader: a thread that sleeps until something is denied.
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use sandbox::audit::{Error, Left, Listener, Switch, knock, status};

use super::seen::Seen;
use super::{Denials, Means, advice};

/// How long the kernel may take to pass records on.
const PASSING_ON: Duration = Duration::from_millis(500);

/// Numbers knocks, so that each waits for its own.
static KNOCKS: AtomicU32 = AtomicU32::new(0);

/// Reads along with kernel audit as long as it lives, for all tasks of this process.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    stop: OwnedFd,
    reader: Option<JoinHandle<()>>,
    /// Records that were lost before.
    lost_before: u32,
}

#[derive(Debug)]
struct Shared {
    seen: Mutex<Seen>,
    /// Told when a knock came back and when nothing more will come.
    knocked: Condvar,
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
        let lost_before = switch.lost;
        let shared = Arc::new(Shared {
            seen: Mutex::new(Seen::new(Instant::now())),
            knocked: Condvar::new(),
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
            reader: Some(reader),
            lost_before,
        })
    }

    /// What the domain that this process made has denied, up to now.
    fn denials(&self, pid: i32, means: &Means) -> Denials {
        self.catch_up();
        let seen = lock(&self.shared.seen);
        let lost = status().is_ok_and(|now| now.lost != self.lost_before);
        let mut denials = seen
            .of(pid)
            .map(|domain| advice::denials(domain, means))
            .unwrap_or_default();
        denials.incomplete = seen.lost || lost;
        denials
    }

    /// Waits until everything that was denied before has been read: what we make the kernel record now comes behind it.
    fn catch_up(&self) {
        let name = format!("knock-{}", KNOCKS.fetch_add(1, Ordering::Relaxed));
        if lock(&self.shared.seen).over || knock(&name).is_err() {
            return;
        }
        let waiting = |seen: &mut Seen| !seen.over && !seen.answered(name.as_bytes());
        let seen = lock(&self.shared.seen);
        // Without an answer what has come so far is what there is.
        drop(
            self.shared
                .knocked
                .wait_timeout_while(seen, PASSING_ON, waiting),
        );
    }
}

impl Watch {
    /// Ends the reading. Putting audit back takes the kernel some milliseconds: whoever has other things to do does them meanwhile, and
    /// drops this later.
    pub fn end(&self) {
        // Only a counter that has been written to 2^64 times would not take another.
        let _ = rustix::io::write(&self.stop, &1u64.to_ne_bytes());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
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
        while self.wait() && self.take_all() {}
        lock(&self.shared.seen).over = true;
        self.shared.knocked.notify_all();
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

    fn take_all(&mut self) -> bool {
        while let Ok(Some(heard)) = self.listener.hear() {
            let mut seen = lock(&self.shared.seen);
            let knocks = seen.knocks.len();
            if !seen.take(heard, Instant::now()) {
                return false;
            }
            if seen.knocks.len() != knocks {
                self.shared.knocked.notify_all();
            }
        }
        true
    }
}

/// A task that is watched; what was denied is forgotten with it.
#[derive(Debug)]
pub(crate) struct Watched {
    watch: Arc<Watch>,
    pid: i32,
    means: Means,
}

impl Watched {
    /// By the process that made its domain.
    pub(crate) fn new(watch: &Arc<Watch>, pid: i32, means: Means) -> Watched {
        lock(&watch.shared.seen).follow(pid);
        Watched {
            watch: Arc::clone(watch),
            pid,
            means,
        }
    }

    pub(crate) fn denials(&self) -> Denials {
        self.watch.denials(self.pid, &self.means)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        lock(&self.watch.shared.seen).unfollow(self.pid);
    }
}

/// A thread that panicked with the lock held left nothing half written that matters to others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
