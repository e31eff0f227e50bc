//! The list of all tasks of all runs that live.
use std::path::{Path, PathBuf};
use std::rc::Rc;

use driver::{Awaited, Task, TaskStats};
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use crate::dirs::{Dir, is};
use crate::error::HostError;
use crate::run_dir::LOCK;
use crate::runs::control::{self, StopError, StopRequest};
use crate::state::{self, AllocState, TaskFacts, TaskRecord};

/// Why it cannot be seen what runs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The run directory is root's.
    #[error("what runs here is known to root alone: {} cannot be entered", path.display())]
    NotRoot {
        /// The run directory.
        path: PathBuf,
    },
    /// The host.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// A task of a run that lives.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its allocation.
    pub alloc: Rc<AllocState>,
    /// Its name.
    pub name: String,
}

/// Every task of every run that lives, sorted by job, group, index and name.
///
/// # Errors
/// Without root; or the run directory cannot be read.
pub fn list(run_dir: &Path) -> Result<Vec<Seen>, ListError> {
    let mut allocations = match state::allocations(run_dir) {
        Err(error) if is(&error, Errno::ACCESS) => {
            return Err(ListError::NotRoot {
                path: run_dir.to_owned(),
            });
        }
        other => other?,
    };
    allocations.sort_by(|one, other| {
        let key = |alloc: &AllocState| {
            let (job, group) = (alloc.job_id.clone(), alloc.task_group.clone());
            (job, group, alloc.encamp.index, alloc.create_time)
        };
        key(one).cmp(&key(other))
    });
    let mut seen = Vec::new();
    for alloc in allocations.into_iter().map(Rc::new) {
        let names = alloc.task_states.keys().cloned();
        seen.extend(names.map(|name| Seen {
            alloc: Rc::clone(&alloc),
            name,
        }));
    }
    Ok(seen)
}

impl Seen {
    /// What became of it so far.
    pub fn record(&self) -> Option<&TaskRecord> {
        self.alloc.task_states.get(&self.name)
    }

    /// What does not change about it.
    pub fn facts(&self) -> Option<&TaskFacts> {
        self.alloc.encamp.tasks.get(&self.name)
    }

    /// `group[index]/task`.
    pub fn place(&self) -> String {
        let alloc = &self.alloc;
        format!("{}[{}]/{}", alloc.task_group, alloc.encamp.index, self.name)
    }

    /// The run's own directory, by which its tasks belong together.
    pub fn run_dir(&self) -> &Path {
        &self.alloc.encamp.run_dir
    }

    /// The task itself, while it runs.
    pub fn task(&self) -> Option<Task> {
        let dir = Dir::open(self.run_dir()).ok()?;
        let handle = dir.read(&format!("{}.handle", self.name)).ok()?;
        Task::beside(handle.as_bytes()).ok()
    }

    /// What it uses now; rates are since its start.
    pub fn stats(&self) -> Option<TaskStats> {
        self.task()?.stats().ok()
    }

    /// Asks for the end of its present start, so that it can be waited for. `None`: it does not run.
    pub fn watch(&self) -> Option<Awaited> {
        self.task()?.watch().ok()
    }

    /// Asks the run to stop what the request says, and returns once it knows.
    ///
    /// # Errors
    /// The run has ended, or does not answer.
    pub fn ask_to_stop(&self, request: &StopRequest) -> Result<(), StopError> {
        control::ask(self.run_dir(), request)
    }

    /// Waits until the allocation is over and cleared up.
    pub fn outlast(&self) {
        let lock = Dir::open(self.run_dir()).and_then(|dir| dir.file(LOCK, OFlags::RDONLY));
        if let Ok(lock) = lock {
            // The kernel gives it to us when the run lets go of it, however that ends.
            let _ = rustix::io::retry_on_intr(|| flock(&lock, FlockOperation::LockShared));
        }
    }

    /// Whether no task of its allocation runs any more or will ever run again.
    pub fn is_over(&self) -> bool {
        let dead = |record: &TaskRecord| record.state == "dead";
        let now = Dir::open(self.run_dir()).and_then(|dir| dir.read(state::FILE));
        let now = now.ok().and_then(|text| serde_json::from_str(&text).ok());
        let is_over = |now: AllocState| now.task_states.values().all(dead);
        !self.lives() || now.is_some_and(is_over)
    }

    /// Whether its allocation still belongs to a run that lives.
    pub fn lives(&self) -> bool {
        Dir::open(self.run_dir()).is_ok_and(|dir| crate::run_dir::is_held(&dir))
    }
}
