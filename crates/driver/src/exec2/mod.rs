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

use std::path::{Path, PathBuf};

use crate::denials::Means;
use crate::task_config::TaskConfig;

/// The task directory as the task sees it.
pub(crate) fn home(task: &TaskConfig) -> Option<PathBuf> {
    Some(layout::Layout::of(task).ok()?.inside)
}

/// What the author of the task that lives there can do about what it was denied.
pub(crate) fn means(home: &Path, operator: &Operator) -> Means {
    Means {
        home: home.to_owned(),
        unveil_by_task: operator.unveil_by_task,
        ports: operator.network_rules.clone(),
    }
}
