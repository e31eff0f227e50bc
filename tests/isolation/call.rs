//! `call.c`, where tasks can reach it.
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use suite::binaries::c_program;
use suite::{Job, Outcome, World};

/// A copy of the program; removed when dropped, or by the next test when this one is killed (the name is a probe's).
#[derive(Debug)]
pub(crate) struct Call {
    path: PathBuf,
}

impl Call {
    /// Installs one under a name of its own.
    pub(crate) fn install() -> Call {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "encamp-probe-{}-call-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = Path::new("/usr/local/bin").join(name);
        std::fs::copy(c_program("isolation/call.c"), &path).unwrap();
        Call { path }
    }

    /// A job that makes these attempts.
    pub(crate) fn job(&self, driver: &str, attempts: &[&str]) -> Job {
        Job::new(driver, self.path.to_str().unwrap(), attempts)
    }

    /// The errno that each attempt of a job met, 0 for none.
    #[track_caller]
    pub(crate) fn met(&self, world: &World, job: &Job) -> Vec<i32> {
        met(&world.run(job).exited(0))
    }
}

/// The last word of each line.
fn met(outcome: &Outcome) -> Vec<i32> {
    let word = |line: &str| line.rsplit(' ').next().and_then(|word| word.parse().ok());
    outcome
        .stdout
        .lines()
        .map(|line| word(line).unwrap_or_else(|| panic!("{line:?}\n{outcome}")))
        .collect()
}

impl Drop for Call {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
