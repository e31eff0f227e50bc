//! The few things that the loop asks of a driver, so that the loop can be tried without one.
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
    /// The host pid, and what was wanted and could not be had.
    fn facts(&self) -> (Option<String>, Vec<String>);
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

    fn facts(&self) -> (Option<String>, Vec<String>) {
        match self.inspect() {
            Ok(mut status) => {
                // A task that has ended already has no pid any more.
                let pid = status.attributes.remove("pid").filter(|pid| pid != "0");
                (pid, status.refusals)
            }
            Err(_) => (None, Vec::new()),
        }
    }
}
