//! What Nomad's documentation of `exec` warns of, where a task or an operator asks for it.
use sandbox::spec::Sharing;

use crate::api::{Driver, Operator, StartError};
use crate::capabilities::{self, NOMAD_DEFAULTS};
use crate::options::Values;
use crate::task_config::TaskConfig;

/// A wish that is granted and has a price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The option that asks for it.
    pub option: &'static str,
    /// Whose option it is.
    pub asked_by: Asker,
    /// The price.
    pub message: String,
}

/// Whose configuration asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// The task's `config {}`.
    Task,
    /// The operator's `plugin {}`.
    Operator,
}

const HOST_PID: &str = "with the host's pid namespace, other processes running as the same user will be able to access sensitive process information like environment variables";
const HOST_IPC: &str = "with the host's ipc namespace, other processes running as the same user will be able to make use of IPC features, like sending unexpected POSIX signals";
const MORE_CAPS: &str = "allowing more capabilities beyond the default may lead to undesirable consequences, including untrusted tasks being able to compromise the host system";

impl Driver {
    /// What whoever checks a task should know before it runs.
    ///
    /// # Errors
    /// Mistakes in the task's configuration.
    pub fn warnings(&self, task: &TaskConfig) -> Result<Vec<Warning>, StartError> {
        let mut warnings = Vec::new();
        if let Operator::Exec(operator) = &self.0.operator {
            let spec = self.lower(task)?;
            let asked = |option: &'static str, default: &'static str| {
                let by_task = names_host(&task.driver_config, option);
                if by_task {
                    (option, Asker::Task)
                } else {
                    (default, Asker::Operator)
                }
            };
            if spec.namespaces.pid == Sharing::Host {
                warnings.push(warning(asked("pid_mode", "default_pid_mode"), HOST_PID));
            }
            if spec.namespaces.ipc == Sharing::Host {
                warnings.push(warning(asked("ipc_mode", "default_ipc_mode"), HOST_IPC));
            }
            warnings.extend(widened(operator.allow_caps));
        }
        if let Operator::Exec2(operator) = &self.0.operator {
            warnings.extend(widened(operator.allow_caps));
        }
        Ok(warnings)
    }
}

fn names_host(values: &Values, option: &str) -> bool {
    values.get(option) == Some(&"host".into())
}

fn warning((option, asked_by): (&'static str, Asker), message: &str) -> Warning {
    Warning {
        option,
        asked_by,
        message: message.to_owned(),
    }
}

fn widened(allowed: sandbox::spec::CapabilitySet) -> Option<Warning> {
    let more = capabilities::excess(allowed, NOMAD_DEFAULTS)?;
    let message = format!("{MORE_CAPS}: {}", capabilities::names(more).join(", "));
    Some(Warning {
        option: "allow_caps",
        asked_by: Asker::Operator,
        message,
    })
}
