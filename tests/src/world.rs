//! A fresh world for one test.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::binaries::{Canary, Probe, encamp};
use crate::{Job, Outcome, Running};

/// Tests that compare the host before and after have it alone; all others share it.
static HOST: RwLock<()> = RwLock::new(());

/// A directory, a probe that tasks can reach, and the right to run tasks.
#[derive(Debug)]
pub struct World {
    directory: PathBuf,
    probe: Probe,
    #[expect(dead_code, reason = "held, not read")]
    share: Share,
}

#[derive(Debug)]
#[expect(dead_code, reason = "held, not read")]
enum Share {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

impl World {
    /// One beside others.
    #[must_use]
    pub fn shared() -> World {
        // A test that failed poisons nothing: the lock guards no value.
        World::with(Share::Shared(
            HOST.read()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        ))
    }

    /// The only one on this host while it lasts.
    #[must_use]
    pub fn alone() -> World {
        World::with(Share::Alone(
            HOST.write()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        ))
    }

    fn with(share: Share) -> World {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "encamp-suite-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory)
            .unwrap_or_else(|error| panic!("make {}: {error}", directory.display()));
        World {
            directory,
            probe: Probe::install(),
            share,
        }
    }

    /// An empty directory of this test.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The probe's path, on the host and in a task.
    #[must_use]
    pub fn probe(&self) -> &str {
        self.probe.path()
    }

    /// A file of root's on the host, in a directory that every task sees; for attempts that must fail, or must not reach the host.
    /// Were isolation broken, nothing else of the host would be harmed.
    #[must_use]
    pub fn canary(&self) -> Canary {
        Canary::place()
    }

    /// A job that runs the probe.
    #[must_use]
    pub fn job(&self, driver: &str, args: &[&str]) -> Job {
        Job::new(driver, self.probe(), args)
    }

    /// `encamp run` of a job, not started yet.
    #[must_use]
    pub fn command(&self, job: &Job) -> Command {
        self.command_of_text(&job.text())
    }

    /// `encamp run -c` of a job on a node with this configuration, not started yet.
    #[must_use]
    pub fn configured(&self, job: &Job, configuration: &str) -> Command {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("agent-{}.hcl", COUNT.fetch_add(1, Ordering::Relaxed));
        let file = self.directory.join(name);
        std::fs::write(&file, configuration).unwrap();
        let mut command = self.command(job);
        command.arg("-c").arg(file);
        command
    }

    /// `encamp run` of a job file with this content, not started yet.
    #[must_use]
    pub fn command_of_text(&self, text: &str) -> Command {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let file = self.directory.join(format!(
            "{}.nomad.hcl",
            COUNT.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(encamp());
        command.arg("run").arg(file).current_dir(&self.directory);
        command
    }

    /// Starts `encamp run`.
    #[must_use]
    pub fn start(&self, job: &Job) -> Running {
        Running::start(&mut self.command(job))
    }

    /// `encamp run`, to its end.
    #[track_caller]
    pub fn run(&self, job: &Job) -> Outcome {
        self.start(job).wait()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
