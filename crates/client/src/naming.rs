//! How a task is told from all others of a run.
use std::fmt;

use crate::event::Whose;

/// Whether a task's own name tells it from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `task`.
    Task,
    /// `group[index]/task`.
    Full,
}

impl Naming {
    /// With so many allocations.
    pub fn of(allocations: usize) -> Naming {
        if allocations > 1 {
            Naming::Full
        } else {
            Naming::Task
        }
    }

    /// A task's name.
    pub fn name(self, whose: Whose<'_>) -> String {
        match self {
            Naming::Task => whose.task.to_owned(),
            Naming::Full => whose.to_string(),
        }
    }
}

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]/{}", self.group, self.index, self.task)
    }
}
