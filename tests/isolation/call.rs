//! `call.c`, where tasks can reach it.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

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
        std::fs::copy(built(), &path).unwrap();
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

fn built() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/isolation/call.c");
        let built = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("call");
        let status = Command::new("cc")
            .args(["-O1", "-Wall", "-Werror", "-static", "-pthread", "-o"])
            .arg(&built)
            .arg(source)
            .status()
            .unwrap();
        assert!(status.success(), "cc {source}");
        built
    })
}
