//! A task whose denials are read.
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::watch::{Before, Watch};
use super::{Denials, Means};

/// Where the number of a task's domain is kept, in the task's state directory. The kernel says whose a domain is once, at its first denial.
const NOTE: &str = "domain";

/// A task whose denials are read; what was denied is forgotten with this.
#[derive(Debug)]
pub struct Watched {
    watch: Arc<Watch>,
    /// The process that made its domain.
    pid: i32,
    means: Means,
    before: Before,
    state: PathBuf,
    noted: bool,
}

impl Watched {
    /// By the process that made its domain, and by its state directory.
    pub(crate) fn new(watch: &Arc<Watch>, pid: i32, means: Means, state: &Path) -> Watched {
        let domain = read(state);
        Watched {
            before: watch.follow(pid, domain),
            watch: Arc::clone(watch),
            pid,
            means,
            state: state.to_owned(),
            noted: domain.is_some(),
        }
    }

    /// Everything that was denied up to now.
    pub fn denials(&self) -> Denials {
        self.watch.catch_up();
        self.watch.denials(self.pid, self.before, &self.means)
    }

    /// What was denied and is not told yet, as far as it has come: each of it once.
    pub fn untold(&self) -> Denials {
        self.watch.untold(self.pid, self.before, &self.means)
    }

    /// The same at the end of the task: waits for what is on its way.
    pub fn rest(&self) -> Denials {
        self.watch.catch_up();
        self.untold()
    }

    /// Has [`super::News`] tell of what was denied already: for whoever listens since now.
    pub fn remind(&self) {
        self.watch.remind(self.pid);
    }

    /// Keeps the number of its domain for whoever watches the task after this process.
    pub fn note(&mut self) {
        let Some(domain) = self.watch.domain(self.pid).filter(|_| !self.noted) else {
            return;
        };
        // Without it a later process does not name what this task is denied.
        self.noted = fs::write(self.state.join(NOTE), format!("{domain:x}\n")).is_ok();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watch.unfollow(self.pid);
    }
}

/// What [`Watched::note`] has kept. Without the end of its line it was not written to its end.
fn read(state: &Path) -> Option<u64> {
    let text = fs::read_to_string(state.join(NOTE)).ok()?;
    u64::from_str_radix(text.strip_suffix('\n')?, 16).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_whole_or_not_at_all() {
        let state = std::env::temp_dir().join(format!("encamp-note-{}", std::process::id()));
        fs::create_dir(&state).unwrap();
        assert_eq!(read(&state), None);
        for (text, number) in [
            ("124d58bb0\n", Some(0x0001_24d5_8bb0)),
            ("124d", None),
            ("x\n", None),
        ] {
            fs::write(state.join(NOTE), text).unwrap();
            assert_eq!(read(&state), number, "{text:?}");
        }
        fs::remove_dir_all(&state).unwrap();
    }
}
