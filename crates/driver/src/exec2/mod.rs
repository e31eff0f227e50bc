//! The driver `exec2`: the host's root, read-only, with a Landlock domain that opens what is unveiled.
mod config;
pub(crate) mod defaults;
mod environment;
mod layout;
mod lower;
mod mounts;
mod network_rules;
mod operator;
pub(crate) mod reach;
mod rules;
mod search;
pub(crate) mod survey;
pub mod unveil;

pub use config::Config;
pub(crate) use lower::lower;
pub use operator::Operator;

use crate::denials::Means;
use crate::task_config::TaskConfig;

/// What a task's author can do about what it was denied.
pub(crate) fn means(task: &TaskConfig, operator: &Operator) -> Option<Means> {
    Some(Means {
        home: layout::Layout::of(task).ok()?.inside,
        unveil_by_task: operator.unveil_by_task,
        ports_by_task: operator.network_rules.is_none(),
    })
}
