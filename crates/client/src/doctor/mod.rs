//! What this host can do for a task and what it cannot, found by looking: nothing is changed.
mod agent;
mod cgroups;
mod denials;
mod directories;
mod drivers;
mod machine;

use crate::settings::Settings;

pub use agent::examine_agent;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about, for machines: `cgroup.memory`.
    pub check: String,
    /// How it stands.
    pub level: Level,
    /// What was found, in words.
    pub text: String,
    /// What to do about it, where something can be done.
    pub way_out: Option<String>,
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Fine,
    /// Something is missing that some jobs want.
    Warning,
    /// A driver cannot run here.
    Failure,
}

/// Looks at everything, in the order in which a reader wants it.
pub fn examine(settings: &Settings) -> Vec<Finding> {
    let parts: [fn(&Settings) -> Vec<Finding>; 5] = [
        |_| machine::look(),
        |_| cgroups::look(),
        directories::look,
        drivers::look,
        |_| Vec::from_iter(denials::look()),
    ];
    parts.iter().flat_map(|look| look(settings)).collect()
}

impl Finding {
    fn new(level: Level, check: impl Into<String>, text: impl Into<String>) -> Finding {
        Finding {
            check: check.into(),
            level,
            text: text.into(),
            way_out: None,
        }
    }

    fn fine(check: impl Into<String>, text: impl Into<String>) -> Finding {
        Finding::new(Level::Fine, check, text)
    }

    fn warning(check: impl Into<String>, text: impl Into<String>) -> Finding {
        Finding::new(Level::Warning, check, text)
    }

    fn failure(check: impl Into<String>, text: impl Into<String>) -> Finding {
        Finding::new(Level::Failure, check, text)
    }

    fn way_out(mut self, words: impl Into<String>) -> Finding {
        self.way_out = Some(words.into());
        self
    }
}
