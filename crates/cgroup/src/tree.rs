//! A cgroup that exists: enter, limit, read, kill, empty, remove.
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};

use crate::{Error, Limits, Paths, Refusal, Stats, apply, create, file, kill, procs, stats};

/// How long a removal waits for processes that are being taken down.
const REMOVE_LIMIT: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A cgroup by its directories.
#[derive(Debug, Clone)]
pub struct Cgroup {
    paths: Paths,
}

/// How a new process gets into the cgroup.
#[derive(Debug)]
pub struct Entry {
    /// The v2 directory, for `CLONE_INTO_CGROUP`. Opened with `O_PATH`.
    pub unified: Option<OwnedFd>,
    /// `tasks` of every v1 directory, the shared ones too, open for writing: the process, which has one thread, writes `0` to
    /// each. Moving oneself that way is the only one that does not take the kernel's lock on all thread groups, and that lock costs an RCU
    /// grace period (10 ms here).
    pub threads: Vec<OwnedFd>,
}

impl Cgroup {
    /// Makes every directory that is missing, parents included, and hands down what children need
    /// (v2: `cgroup.subtree_control`; v1 cpuset: `cpus` and `mems`). Directories that exist are taken as they are.
    ///
    /// # Errors
    /// When a directory cannot be made, when nothing is mounted where it should be, and when an ancestor cannot hand
    /// down cpu or memory (EBUSY: it has processes of its own). What was made until then is removed again.
    pub fn create(paths: &Paths) -> Result<Cgroup, Error> {
        create::create(paths)?;
        Ok(Cgroup::at(paths))
    }

    /// Takes directories that somebody else made. Nothing is checked or written.
    pub fn at(paths: &Paths) -> Cgroup {
        Cgroup {
            paths: paths.clone(),
        }
    }

    /// Its directories.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Writes what is asked. A maximum that is a boundary (memory, pids, cpuset, quota) must be taken, else it is an
    /// error; niceties (swap where there is no swap accounting, oom group on v1) come back as refusals.
    ///
    /// # Errors
    /// When a boundary's file is missing or refuses the value; earlier limits stay written.
    pub fn apply(&self, limits: &Limits) -> Result<Vec<Refusal>, Error> {
        apply::apply(&self.paths, limits)
    }

    /// Opens what a new process needs to enter.
    ///
    /// # Errors
    /// When a directory is missing or may not be written.
    pub fn entry(&self) -> Result<Entry, Error> {
        let unified = match &self.paths.unified {
            Some(dir) => Some(open_at(dir, OFlags::PATH | OFlags::DIRECTORY)?),
            None => None,
        };
        let dirs: BTreeSet<_> = self
            .paths
            .v1
            .values()
            .chain(self.paths.shared.values())
            .collect();
        let threads = dirs
            .into_iter()
            .map(|dir| open_at(&dir.join("tasks"), OFlags::WRONLY));
        Ok(Entry {
            unified,
            threads: threads.collect::<Result<_, _>>()?,
        })
    }

    /// Pids in it and below, sorted, as the caller's pid namespace numbers them; processes outside of that namespace
    /// are not listed.
    ///
    /// # Errors
    /// When a directory cannot be read. One that is gone holds nobody.
    pub fn processes(&self) -> Result<Vec<i32>, Error> {
        let mut pids = Vec::new();
        for dir in self.paths.own() {
            pids.extend(procs::listed(dir)?);
        }
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    /// Sends SIGKILL to everything in it and below: `cgroup.kill`, or freeze, kill each, thaw. The caller itself and
    /// process 1 are never signalled.
    ///
    /// # Errors
    /// When a directory is the root of its hierarchy, and when the kernel refuses a read, write or signal.
    pub fn kill(&self) -> Result<(), Error> {
        kill::kill(&self.paths)
    }

    /// Kills until no process is left or the time is over.
    ///
    /// # Errors
    /// [`Error::Populated`] when the time is over; else as [`Cgroup::kill`].
    pub fn empty(&self, limit: Duration) -> Result<(), Error> {
        if !procs::populated(&self.paths)? {
            return Ok(());
        }
        let start = Instant::now();
        let mut pauses = procs::Pause::new(&self.paths);
        let mut pause = FIRST_PAUSE;
        loop {
            self.kill()?;
            pauses.wait(pause.min(limit.saturating_sub(start.elapsed())));
            if !procs::populated(&self.paths)? {
                return Ok(());
            }
            if start.elapsed() >= limit {
                return Err(self.still_populated(limit)?);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Removes the directories (not the shared ones), children first; those that are gone are fine. Retries while the
    /// kernel still holds a dying process. One that cannot be removed does not keep the others.
    ///
    /// # Errors
    /// [`Error::Populated`] when processes are left, and when the kernel refuses a removal.
    pub fn remove(&self) -> Result<(), Error> {
        kill::refuse_root(&self.paths)?;
        let deadline = Instant::now() + REMOVE_LIMIT;
        let mut first_error = None;
        for dir in self.paths.own() {
            if let Err(error) = remove_until(dir, deadline) {
                first_error.get_or_insert(error);
            }
        }
        match first_error {
            Some(Error::Io { source, .. })
                if file::is_busy(&source) && procs::populated(&self.paths)? =>
            {
                Err(self.still_populated(REMOVE_LIMIT)?)
            }
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Reads all counters; files that are missing are `None`.
    ///
    /// # Errors
    /// When a file that is there cannot be read.
    pub fn stats(&self) -> Result<Stats, Error> {
        stats::read(&self.paths)
    }

    /// Only the `oom_kill` counter; 0 where no hierarchy tells.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn oom_kills(&self) -> Result<u64, Error> {
        Ok(stats::oom_kills(&self.paths)?.unwrap_or(0))
    }

    fn still_populated(&self, waited: Duration) -> Result<Error, Error> {
        Ok(Error::Populated {
            path: self.paths.first(),
            pids: self.processes()?,
            seconds: waited.as_secs(),
        })
    }
}

fn open_at(path: &Path, flags: OFlags) -> Result<OwnedFd, Error> {
    open(path, flags | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Error::io("open", path, errno))
}

fn remove_until(dir: &Path, deadline: Instant) -> Result<(), Error> {
    let mut pause = FIRST_PAUSE;
    loop {
        match remove_tree(dir) {
            Err(Error::Io { source, .. })
                if file::is_busy(&source) && Instant::now() < deadline => {}
            result => return result,
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn remove_tree(dir: &Path) -> Result<(), Error> {
    let mut dirs: Vec<PathBuf> = Vec::new();
    procs::walk(dir, &mut |dir| {
        dirs.push(dir.to_owned());
        Ok(())
    })?;
    for dir in dirs.iter().rev() {
        match std::fs::remove_dir(dir) {
            Err(error) if !file::is_absent(&error) => return Err(Error::io("remove", dir, error)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]
mod tests {
    use super::*;
    use crate::Controller;
    use std::fs;

    #[test]
    fn entry_opens_every_v1_directory_once_and_the_shared_ones() {
        let root = tempfile::tempdir().unwrap();
        let dir = |name: &str| {
            let dir = root.path().join(name);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("tasks"), "").unwrap();
            dir
        };
        let both = dir("cpu,cpuacct");
        let v1 = [
            (Controller::Cpu, both.clone()),
            (Controller::Cpuacct, both),
            (Controller::Memory, dir("memory")),
        ];
        let shared = [(Controller::Cpuset, dir("share"))].into();
        let entry = Cgroup::at(&Paths {
            unified: Some(dir("u")),
            v1: v1.into(),
            shared,
        })
        .entry()
        .unwrap();
        assert!(entry.unified.is_some());
        assert_eq!(entry.threads.len(), 3);
    }

    #[test]
    fn entry_names_the_directory_that_is_missing() {
        let paths = Paths {
            unified: Some("/nowhere/x".into()),
            ..Paths::default()
        };
        assert_eq!(
            Cgroup::at(&paths).entry().unwrap_err().to_string(),
            "open /nowhere/x"
        );
    }

    #[test]
    fn remove_takes_children_first_and_what_is_gone_as_done() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("x");
        fs::create_dir_all(dir.join("a/b")).unwrap();
        fs::create_dir_all(dir.join("c")).unwrap();
        let share = root.path().join("share");
        fs::create_dir(&share).unwrap();
        let v1 = [(Controller::Memory, root.path().join("gone"))].into();
        let shared = [(Controller::Cpuset, share.clone())].into();
        let cgroup = Cgroup::at(&Paths {
            unified: Some(dir.clone()),
            v1,
            shared,
        });
        cgroup.remove().unwrap();
        cgroup.remove().unwrap();
        assert!(!dir.exists() && share.exists());
    }

    #[test]
    fn paths_survive_being_stored() {
        let v1 = [(Controller::Memory, "/m/x".into())].into();
        let paths = Paths {
            unified: Some("/u/x".into()),
            v1,
            ..Paths::default()
        };
        let text = serde_json::to_string(&paths).unwrap();
        assert_eq!(
            text,
            r#"{"unified":"/u/x","v1":{"memory":"/m/x"},"shared":{}}"#
        );
        assert_eq!(serde_json::from_str::<Paths>(&text).unwrap(), paths);
    }
}
