//! What a task will be able to do, for whoever wants to know before it runs.
use sandbox::spec::{Access, Rule, Sharing};

use crate::api::{Driver, StartError};
use crate::capabilities;
use crate::task_config::TaskConfig;

/// The part of a process's description that its author decides about, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// Real, effective, saved.
    pub uid: u32,
    /// Real, effective, saved.
    pub gid: u32,
    /// Without `cap_`, sorted; what the host itself lacks is among them.
    pub capabilities: Vec<&'static str>,
    /// Whether it can gain none by a setuid program or file capabilities.
    pub no_new_privs: bool,
    /// Shares the host's pid namespace.
    pub host_pid: bool,
    /// Shares the host's ipc namespace.
    pub host_ipc: bool,
    /// Shares the host's network.
    pub host_network: bool,
    /// Volumes, as `path (read-only)`.
    pub volumes: Vec<String>,
    /// What `unveil` grants beyond the defaults, as `rwxc:/path`.
    pub unveiled: Vec<String>,
}

impl Driver {
    /// Describes a task without starting it.
    ///
    /// # Errors
    /// Mistakes in the task's configuration, and users that are unknown or denied.
    pub fn allowed(&self, task: &TaskConfig) -> Result<Allowed, StartError> {
        let spec = self.lower(task)?;
        let usual = TaskConfig {
            driver_config: task
                .driver_config
                .iter()
                .filter(|(option, _)| *option != "unveil")
                .map(|(option, value)| (option.clone(), value.clone()))
                .collect(),
            ..task.clone()
        };
        let usual = self.lower(&usual)?.landlock.map(|landlock| landlock.rules);
        let rules = spec.landlock.map(|landlock| landlock.rules);
        Ok(Allowed {
            uid: spec.identity.uid,
            gid: spec.identity.gid,
            capabilities: capabilities::names(spec.capabilities.permitted),
            no_new_privs: spec.no_new_privs,
            host_pid: spec.namespaces.pid == Sharing::Host,
            host_ipc: spec.namespaces.ipc == Sharing::Host,
            host_network: spec.namespaces.net.is_none(),
            volumes: volumes(task),
            unveiled: beyond(rules.unwrap_or_default(), &usual.unwrap_or_default()),
        })
    }
}

fn volumes(task: &TaskConfig) -> Vec<String> {
    let shown = |mount: &crate::task_config::Mount| {
        let how = if mount.readonly { " (read-only)" } else { "" };
        format!("{}{how}", mount.task_path)
    };
    task.mounts.iter().map(shown).collect()
}

/// The rules that `unveil` added or widened.
fn beyond(rules: Vec<Rule>, usual: &[Rule]) -> Vec<String> {
    let added = rules.into_iter().filter(|rule| !usual.contains(rule));
    added
        .map(|rule| format!("{}:{}", letters(rule.access), rule.path.display()))
        .collect()
}

fn letters(access: Access) -> String {
    let letters = [
        (Access::READ, 'r'),
        (Access::WRITE, 'w'),
        (Access::EXECUTE, 'x'),
        (Access::CREATE, 'c'),
    ];
    letters
        .into_iter()
        .filter(|(right, _)| access.contains(*right))
        .map(|(_, letter)| letter)
        .collect()
}
