//! What the sandbox denies tasks, told while they run: whoever reads kernel audit, and since when.
//!
//! Nothing is opened before a task of the driver's is there, and audit is put back behind the last one. The reader tells here that there
//! is something new; what it is, and how much of it is worth an event, is each [`Listener`]'s own matter.
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use driver::denials::{Error, LOCK, News, Watch, Watched, sweep};
use driver::{Driver, Task};

use crate::events::{Events, Subject};

use crate::log;
use crate::tasks::End;
use crate::told::{Ended, Told};

/// So long after something new it is told, together with what came meanwhile.
const SETTLING: Duration = Duration::from_millis(500);

/// The ear of this process, for all its tasks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ear(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Held while audit is switched, so that nothing is switched on again before it is off.
    open: Mutex<Open>,
    listeners: Mutex<Vec<Weak<Listener>>>,
}

#[derive(Debug, Default)]
struct Open {
    watch: Option<Arc<Watch>>,
    holders: usize,
    /// Why there is none, as it was told last.
    deaf: Option<String>,
    /// The process ends.
    closed: bool,
}

impl Ear {
    /// Has the driver's next task listened to. `None`: nobody can, or the driver's tasks are denied nothing in a way that is told.
    pub(crate) fn hold(&self, driver: &Driver) -> Option<Holder> {
        let left = driver.audit()?;
        let mut open = lock(&self.0.open);
        if open.closed {
            return None;
        }
        let watch = match open.watch.take() {
            Some(watch) => watch,
            None => match Watch::open(Path::new(LOCK), left) {
                Ok(watch) => self.begin(watch),
                Err(error) => {
                    report(&mut open.deaf, &error);
                    return None;
                }
            },
        };
        driver.watch(&watch);
        open.watch = Some(watch);
        open.holders += 1;
        Some(Holder(self.clone()))
    }

    fn begin(&self, watch: Watch) -> Arc<Watch> {
        let (news, shared) = (watch.news(), Arc::clone(&self.0));
        let teller = thread::Builder::new().name("tell-denials".to_owned());
        if let Err(error) = teller.spawn(move || shared.tell(news)) {
            log::warn(
                "what tasks are denied is told at their ends only",
                &[("cause", &error.to_string())],
            );
        }
        Arc::new(watch)
    }

    /// Tells from now on what this task is denied.
    pub(crate) fn listen(
        &self,
        task: &Task,
        subject: &Subject,
        events: &Events,
        holder: Option<Holder>,
    ) -> Option<Arc<Listener>> {
        let listener = Arc::new(Listener {
            subject: subject.clone(),
            events: events.clone(),
            heard: Mutex::new((task.take_watched()?, Told::default())),
            _holder: holder?,
        });
        let mut listeners = lock(&self.0.listeners);
        listeners.retain(|known| known.strong_count() > 0);
        listeners.push(Arc::downgrade(&listener));
        drop(listeners);
        // The task runs already.
        lock(&listener.heard).0.remind();
        Some(listener)
    }

    /// Puts audit back, whichever tasks run: the process ends.
    pub(crate) fn close(&self) {
        let mut open = lock(&self.0.open);
        open.closed = true;
        open.watch.take().iter().for_each(|watch| watch.close());
    }
}

/// Puts audit back if a plugin that had switched it on was killed.
pub(crate) fn put_back() {
    if let Err(error) = sweep(Path::new(LOCK)) {
        log::warn(
            "cannot put kernel audit back",
            &[("cause", &driver::in_one_line(&error))],
        );
    }
}

/// Once: tasks are started more often than hosts change.
fn report(told: &mut Option<String>, error: &Error) {
    let cause = driver::in_one_line(error);
    if told.as_ref() != Some(&cause) {
        log::info(
            "what the sandbox denies tasks cannot be told",
            &[("cause", &cause)],
        );
        *told = Some(cause);
    }
}

impl Shared {
    fn tell(&self, mut news: News) {
        while news.wait() {
            self.each(Listener::note);
            thread::sleep(SETTLING);
            self.each(Listener::tell);
        }
    }

    fn each(&self, act: impl Fn(&Listener)) {
        let listeners: Vec<_> = lock(&self.listeners)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        listeners.iter().for_each(|listener| act(listener));
    }
}

/// As long as one lives somebody reads.
#[derive(Debug)]
pub(crate) struct Holder(Ear);

impl Drop for Holder {
    fn drop(&mut self) {
        let mut open = lock(&self.0.0.open);
        open.holders = open.holders.saturating_sub(1);
        if open.holders == 0 {
            // Under the lock: whoever ends the process waits for it.
            open.watch = None;
        }
    }
}

/// A task that is listened to.
#[derive(Debug)]
pub(crate) struct Listener {
    subject: Subject,
    events: Events,
    heard: Mutex<(Watched, Told)>,
    /// Last, since what is watched has the watch too.
    _holder: Holder,
}

impl Listener {
    fn note(&self) {
        lock(&self.heard).0.note();
    }

    fn tell(&self) {
        let (watched, told) = &mut *lock(&self.heard);
        if told.may_tell() {
            let words = told.more(&watched.untold());
            words
                .into_iter()
                .for_each(|words| self.events.tell(&self.subject, words));
        }
    }

    /// What is left to tell when the task has ended. After a bad end it waits for what is still on its way.
    pub(crate) fn end(&self, end: &End) {
        let (watched, told) = &mut *lock(&self.heard);
        let well = end.as_ref().is_ok_and(|result| {
            result.exit_code == 0 && result.signal == 0 && result.error.is_none()
        });
        let words = match well {
            true => told.last(&watched.untold(), Ended::Well),
            false => told.last(&watched.rest(), Ended::Badly),
        };
        words
            .into_iter()
            .for_each(|words| self.events.tell(&self.subject, words));
    }
}

/// No code that holds a lock leaves anything half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
