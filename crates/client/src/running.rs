//! The few things that the loop asks of a driver, so that the loop can be tried without one.
use std::os::fd::OwnedFd;
use std::time::Duration;

use driver::{Driver, ExitResult, StartError, TaskConfig};

/// Starts tasks.
pub(crate) trait Starts {
    /// A started task.
    type Task: Running;

    fn start(&self, task: &TaskConfig) -> Result<Self::Task, StartError>;
}

/// A started task; asked from several threads.
pub(crate) trait Running: Send + Sync + 'static {
    fn wait(&self) -> Result<ExitResult, driver::Error>;
    fn stop(&self, signal: &str, grace: Duration) -> Result<(), driver::Error>;
    fn destroy(&self) -> Result<(), driver::Error>;
    fn signal(&self, signal: &str) -> Result<(), driver::Error>;
    /// Runs a command beside it, and says how it failed.
    fn script(&self, command: &[String], limit: Duration) -> Result<(), String>;
    fn facts(&self) -> Facts;
    /// What its sandbox denied it up to now; `None`: nobody reads.
    fn denials(&self) -> Option<driver::denials::Denials> {
        None
    }
    /// The other end of its descriptor 0, once.
    fn input(&self) -> Option<OwnedFd> {
        None
    }
    /// The most memory that it had, in bytes.
    fn memory_peak(&self) -> Option<u64>;
}

/// What is told of a task that runs.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// By which others find it.
    pub(crate) handle: Option<Vec<u8>>,
    /// The host pid.
    pub(crate) pid: Option<String>,
    /// What was asked for and could not be had.
    pub(crate) refusals: Vec<String>,
    /// What nobody asked for, and this host does not have.
    pub(crate) lacking: Vec<String>,
    /// What the Landlock domain restricts.
    pub(crate) landlock: Option<driver::Enforcement>,
}

impl Starts for Driver {
    type Task = driver::Task;

    fn start(&self, task: &TaskConfig) -> Result<driver::Task, StartError> {
        Driver::start(self, task)
    }
}

impl Running for driver::Task {
    fn wait(&self) -> Result<ExitResult, driver::Error> {
        driver::Task::wait(self)
    }

    fn stop(&self, signal: &str, grace: Duration) -> Result<(), driver::Error> {
        driver::Task::stop(self, signal, grace)
    }

    fn destroy(&self) -> Result<(), driver::Error> {
        driver::Task::destroy(self, true)
    }

    fn signal(&self, signal: &str) -> Result<(), driver::Error> {
        driver::Task::signal(self, signal)
    }

    fn script(&self, command: &[String], limit: Duration) -> Result<(), String> {
        let ended = self.exec(command, Some(limit));
        match ended.map_err(|error| error.to_string())?.result {
            result if result.exit_code == 0 => Ok(()),
            result => Err(format!("{} exited {}", command.join(" "), result.exit_code)),
        }
    }

    fn denials(&self) -> Option<driver::denials::Denials> {
        driver::Task::denials(self)
    }

    fn input(&self) -> Option<OwnedFd> {
        self.take_input()
    }

    fn memory_peak(&self) -> Option<u64> {
        self.stats().ok()?.max_usage_bytes
    }

    fn facts(&self) -> Facts {
        let Ok(mut status) = self.inspect() else {
            return Facts::default();
        };
        Facts {
            handle: Some(self.handle()),
            // A task that has ended already has no pid any more.
            pid: status.attributes.remove("pid").filter(|pid| pid != "0"),
            refusals: status.refusals,
            lacking: status.lacking,
            landlock: status.landlock,
        }
    }
}
