//! A task that was started or recovered.
//!
//! Each call opens a connection of its own to the shim, so any number of threads may wait while others stop, signal or look.
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use cgroup::Cgroup;
use sandbox::{Enforced, Feature};
use shim::{Found, Shim, Waiting};

use crate::api::{Compute, Error, ExitResult, State, Status, Task, TaskStats};
use crate::denials::{Denials, Watched};
use crate::handle::{Handle, Process};
use crate::stats::{self, Sample};
use crate::{result, signals, state_dir};

/// How long what a task leaves behind may take to die.
const EMPTYING: Duration = Duration::from_secs(15);

/// What is found of a task.
pub(crate) enum Look {
    Running(Shim),
    Exited(ExitResult),
}

/// The end of a task, once this process knows it.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    result: ExitResult,
    /// Whether nothing was left in its cgroup.
    emptied: bool,
}

impl Task {
    /// One whose shim is gone without a record; what is left of it is killed.
    pub(crate) fn lost(handle: Handle) -> Task {
        let task = Task::new(handle, None);
        task.end(result::lost());
        task
    }

    /// The other end of its descriptor 0, where it was started with one: of a pipe to write to, or of its terminal. There once.
    pub fn take_input(&self) -> Option<OwnedFd> {
        lock(&self.input).take()
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.handle.id
    }

    /// What to keep so that [`crate::Driver::recover`] works.
    pub fn handle(&self) -> Vec<u8> {
        self.handle.to_bytes()
    }

    /// Waits for the end; any number of callers, before and after it. What the task left in its cgroup is killed first, so that
    /// whoever made the cgroup can remove it.
    ///
    /// # Errors
    /// When a shim that runs does not answer.
    pub fn wait(&self) -> Result<ExitResult, Error> {
        match self.look()? {
            Look::Exited(result) => Ok(self.end(result)),
            Look::Running(shim) => match shim.wait() {
                Ok(Some(status)) => Ok(self.end(ExitResult::from(&status))),
                Ok(None) => Ok(self.end(result::lost())),
                // The shim may have gone between the two questions; then its record answers.
                Err(error) => self.exited_after(error).map(|result| self.end(result)),
            },
        }
    }

    /// Asks for the end of a task that runs under somebody else, see [`Task::beside`]: whoever makes it come must have asked before.
    ///
    /// # Errors
    /// When its shim does not answer: it has ended.
    pub fn watch(&self) -> Result<Awaited, Error> {
        let shim = match self.look()? {
            Look::Running(shim) => shim,
            Look::Exited(_) => return Err(Error::NotRunning),
        };
        let waiting = shim.begin_to_wait()?;
        Ok(Awaited { shim, waiting })
    }

    /// Polite, then hard. `signal` empty means SIGINT; case and the prefix `SIG` do not matter, numbers are taken too. A task that has
    /// ended is fine.
    ///
    /// # Errors
    /// An unknown signal, before anything is done; a shim that does not answer.
    pub fn stop(&self, signal: &str, grace: Duration) -> Result<(), Error> {
        let signal = number(signal)?;
        match self.look()? {
            Look::Exited(_) => Ok(()),
            Look::Running(shim) => shim
                .stop(signal, grace)
                .or_else(|error| self.exited_after(error).map(drop)),
        }
    }

    /// Sends a signal to the main process.
    ///
    /// # Errors
    /// An unknown signal; a shim that does not answer.
    pub fn signal(&self, signal: &str) -> Result<(), Error> {
        let signal = number(signal)?;
        match self.look()? {
            Look::Exited(_) => Ok(()),
            Look::Running(shim) => shim
                .signal(signal)
                .or_else(|error| self.exited_after(error).map(drop)),
        }
    }

    /// Kills what is left, removes records and the cgroup directories that the driver made itself. Idempotent.
    ///
    /// # Errors
    /// [`Error::StillRunning`] without `force`; processes that would not die.
    pub fn destroy(&self, force: bool) -> Result<(), Error> {
        match self.look() {
            Ok(Look::Exited(result)) => drop(self.end(result)),
            Ok(Look::Running(_)) if !force => return Err(Error::StillRunning),
            Ok(Look::Running(shim)) => self.kill(&shim)?,
            Err(error) if !force => return Err(error),
            // A shim that does not answer loses its task with the cgroup.
            Err(_) => drop(self.end(result::lost())),
        }
        if !self.known().as_ref().is_some_and(|ended| ended.emptied) {
            self.cgroup().empty(EMPTYING)?;
        }
        state_dir::remove(&self.handle.state)?;
        Ok(Cgroup::at(&self.handle.made).remove()?)
    }

    /// Its state.
    ///
    /// # Errors
    /// A shim that does not answer.
    pub fn inspect(&self) -> Result<Status, Error> {
        let result = match self.look()? {
            Look::Running(_) => None,
            Look::Exited(result) => Some(result),
        };
        Ok(Status {
            id: self.handle.id.clone(),
            name: self.handle.name.clone(),
            state: if result.is_some() {
                State::Exited
            } else {
                State::Running
            },
            started_at: self.handle.started_at,
            result,
            attributes: self.attributes(),
            refusals: self.handle.refusals.clone(),
            lacking: self.lacking(),
            landlock: self.handle.landlock.clone(),
        })
    }

    /// What its sandbox has denied it up to now. `None`: nobody reads ([`crate::Driver::watch`]).
    pub fn denials(&self) -> Option<Denials> {
        lock(&self.watched).as_ref().map(Watched::denials)
    }

    /// The same for whoever tells it while the task runs; from then on [`Task::denials`] is `None`. There once.
    pub fn take_watched(&self) -> Option<Watched> {
        lock(&self.watched).take()
    }

    fn attributes(&self) -> BTreeMap<String, String> {
        let mut attributes =
            BTreeMap::from([("pid".to_owned(), self.handle.process.pid.to_string())]);
        if let Some(landlock) = &self.handle.landlock {
            attributes.insert("landlock_abi".to_owned(), landlock.abi.to_string());
            let state = |feature: &Feature| {
                let name = format!("landlock_{}", feature.name);
                (name, feature.enforced.to_string())
            };
            attributes.extend(landlock.features.iter().map(state));
        }
        attributes
    }

    fn lacking(&self) -> Vec<String> {
        let landlock = self.handle.landlock.iter().flat_map(|landlock| {
            let unknown = |feature: &&Feature| feature.enforced == Enforced::NotKnown;
            landlock.features.iter().filter(unknown).map(|feature| {
                format!(
                    "Landlock ABI {} (not {}): {}",
                    landlock.abi,
                    feature.since,
                    feature.without()
                )
            })
        });
        self.handle
            .lacking
            .iter()
            .cloned()
            .chain(landlock)
            .collect()
    }

    /// One sample; rates are since the previous call (first: since the start).
    ///
    /// # Errors
    /// A cgroup that cannot be read.
    pub fn stats(&self) -> Result<TaskStats, Error> {
        let stats = self.cgroup().stats()?;
        let now = SystemTime::now();
        let compute = Compute {
            total_mhz: self.handle.total_mhz,
            cores: self.handle.cores,
        };
        let mut sample = lock(&self.sample);
        let usage = stats::usage(&stats, *sample, now, compute);
        *sample = Sample {
            at: now,
            cpu: stats::cpu(&stats),
        };
        drop(sample);
        let pids = self.cgroup().processes()?;
        let processes = lock(&self.processes).look(&pids, now);
        Ok(TaskStats { processes, ..usage })
    }

    /// What there is of it now.
    pub(crate) fn look(&self) -> Result<Look, Error> {
        if let Some(ended) = self.known().as_ref() {
            return Ok(Look::Exited(ended.result.clone()));
        }
        Ok(match shim::attach(&self.handle.state)? {
            Found::Alive(shim, running) if Process::from(&running) == self.handle.process => {
                Look::Running(shim)
            }
            Found::Ended(status) => Look::Exited(ExitResult::from(&status)),
            Found::Alive(..) | Found::Lost => Look::Exited(result::lost()),
        })
    }

    /// After a call that failed since the shim went away: the result, or else the failure.
    fn exited_after(&self, error: shim::Error) -> Result<ExitResult, Error> {
        match self.look()? {
            Look::Exited(result) => Ok(result),
            Look::Running(_) => Err(error.into()),
        }
    }

    fn kill(&self, shim: &Shim) -> Result<(), Error> {
        let killed = shim.stop(signals::KILL, Duration::ZERO);
        if let Err(error) = killed {
            self.exited_after(error)?;
        }
        self.wait().map(drop)
    }

    /// Keeps the result. Done once: later the cgroup may be another task's. What would not die is left to `destroy` to tell.
    fn end(&self, result: ExitResult) -> ExitResult {
        let mut known = self.known();
        let ended = known.get_or_insert_with(|| Ended {
            result,
            emptied: self.cgroup().empty(EMPTYING).is_ok(),
        });
        ended.result.clone()
    }

    fn known(&self) -> MutexGuard<'_, Option<Ended>> {
        lock(&self.ended)
    }

    fn cgroup(&self) -> Cgroup {
        Cgroup::at(&self.handle.cgroup)
    }
}

/// The end of a task that runs under somebody else.
#[derive(Debug)]
pub struct Awaited {
    shim: Shim,
    waiting: Waiting,
}

impl Awaited {
    /// Waits for it and touches nothing. `None`: nobody could read how the task ended.
    pub fn end(self) -> Option<ExitResult> {
        let status = self.waiting.end(&self.shim).ok()??;
        Some(ExitResult::from(&status))
    }
}

/// A thread that panicked with the lock held left nothing half written: each holder writes once.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(signal: &str) -> Result<i32, Error> {
    if signal.is_empty() {
        return Ok(signals::INT);
    }
    signals::parse(signal).ok_or_else(|| Error::UnknownSignal(signal.to_owned()))
}
