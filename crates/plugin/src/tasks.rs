//! The tasks this process knows.
//!
//! Each has one thread that waits for its end and publishes it, so that any number of calls wait for it without a thread of their own.
//! Whatever changes the set runs to its end on a blocking thread, also when the client gives the call up meanwhile.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use driver::{ExitResult, Task};
use tokio::sync::watch;
use tonic::Status;

use crate::denials::Listener;
use crate::events::{Events, Subject};
use crate::failure::{failed, unknown_task};

/// A waiter only reads a socket and keeps a result.
const WAITER_STACK: usize = 256 * 1024;

/// How a task ended, or why that cannot be said.
pub(crate) type End = Result<ExitResult, String>;

/// A task and its end.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) task: Arc<Task>,
    end: watch::Receiver<Option<End>>,
}

impl Known {
    pub(crate) fn has_ended(&self) -> bool {
        self.end.borrow().is_some()
    }

    /// Waits for the end.
    pub(crate) async fn ended(&self) -> End {
        let mut end = self.end.clone();
        let known = end.wait_for(Option::is_some).await;
        let lost = || Err("the thread that waited for the task is gone".to_owned());
        known.ok().and_then(|end| end.clone()).unwrap_or_else(lost)
    }
}

/// A task, and who is told what it is denied.
type Watched = (Arc<Task>, Option<Arc<Listener>>);

/// A thread that will wait for a task. There before the task is, so that no task is started that nobody can wait for.
struct Waiter {
    hand_over: mpsc::Sender<Watched>,
    end: watch::Receiver<Option<End>>,
}

impl Waiter {
    fn new(subject: Subject, events: Events) -> std::io::Result<Waiter> {
        let (hand_over, handed_over) = mpsc::channel::<Watched>();
        let (publish, end) = watch::channel(None);
        thread::Builder::new()
            .name("wait".to_owned())
            .stack_size(WAITER_STACK)
            .spawn(move || {
                if let Ok((task, listener)) = handed_over.recv() {
                    let end = task.wait().map_err(|error| driver::in_one_line(&error));
                    // First, while the agent still listens for this task.
                    listener.iter().for_each(|listener| listener.end(&end));
                    events.ended(&subject, &end);
                    publish.send_replace(Some(end));
                    // The last one puts kernel audit back, which takes a moment.
                    drop(listener);
                }
            })?;
        Ok(Waiter { hand_over, end })
    }

    fn watch(self, task: Task, listener: Option<Arc<Listener>>) -> Arc<Known> {
        let task = Arc::new(task);
        // The thread is there and has nothing else to do than to receive.
        let _ = self.hand_over.send((Arc::clone(&task), listener));
        Arc::new(Known {
            task,
            end: self.end,
        })
    }
}

/// All of them, by id.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    known: Mutex<HashMap<String, Slot>>,
    pub(crate) events: Events,
    /// One recovery at a time: two of the same task would each find the other unfinished.
    recovery: Mutex<()>,
}

#[derive(Debug)]
enum Slot {
    Starting,
    Known(Arc<Known>),
}

impl Tasks {
    pub(crate) fn get(&self, id: &str) -> Result<Arc<Known>, Status> {
        self.find(id).ok_or_else(unknown_task)
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<Known>> {
        match self.lock().get(id) {
            Some(Slot::Known(known)) => Some(Arc::clone(known)),
            Some(Slot::Starting) | None => None,
        }
    }

    /// Whether nobody here has the id, not even for a start that goes on.
    pub(crate) fn is_free(&self, id: &str) -> bool {
        !self.lock().contains_key(id)
    }

    /// Starts a task under an id that nobody has yet. Blocks.
    pub(crate) fn start(
        &self,
        subject: &Subject,
        start: impl FnOnce() -> Result<(Task, Option<Arc<Listener>>), Status>,
    ) -> Result<Arc<Known>, Status> {
        let reserved = Reserved::new(self, &subject.task_id)?;
        let waiter =
            Waiter::new(subject.clone(), self.events.clone()).map_err(|error| failed(&error))?;
        let (task, listener) = start()?;
        let known = waiter.watch(task, listener);
        reserved.fill(&known);
        Ok(known)
    }

    /// Takes a recovered task in, unless it is known already. Blocks.
    pub(crate) fn recover(
        &self,
        subject: &Subject,
        recover: impl FnOnce() -> Result<(Task, Option<Arc<Listener>>), Status>,
    ) -> Result<(), Status> {
        let _alone = self.recovery.lock().unwrap_or_else(PoisonError::into_inner);
        if self.find(&subject.task_id).is_some() {
            return Ok(());
        }
        self.start(subject, recover).map(drop)
    }

    /// Forgets a task, if it is still this one.
    pub(crate) fn forget(&self, id: &str, gone: &Arc<Known>) {
        let mut known = self.lock();
        if matches!(known.get(id), Some(Slot::Known(there)) if Arc::ptr_eq(there, gone)) {
            known.remove(id);
        }
    }

    /// No code that holds the lock can leave the map half changed.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Slot>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An id taken for a task that is being started; free again when the start fails or panics.
struct Reserved<'a> {
    tasks: &'a Tasks,
    id: &'a str,
}

impl<'a> Reserved<'a> {
    fn new(tasks: &'a Tasks, id: &'a str) -> Result<Reserved<'a>, Status> {
        let mut known = tasks.lock();
        if known.contains_key(id) {
            return Err(Status::unknown(format!(
                "task with ID {id:?} already started"
            )));
        }
        known.insert(id.to_owned(), Slot::Starting);
        Ok(Reserved { tasks, id })
    }

    fn fill(self, known: &Arc<Known>) {
        self.tasks
            .lock()
            .insert(self.id.to_owned(), Slot::Known(Arc::clone(known)));
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let mut known = self.tasks.lock();
        if matches!(known.get(self.id), Some(Slot::Starting)) {
            known.remove(self.id);
        }
    }
}
