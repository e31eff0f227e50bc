//! A cgroup that exists: enter, limit, read, kill, empty, remove.
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::{Error, Limits, Paths, Refusal, Stats};

/// A cgroup by its directories.
#[derive(Debug, Clone)]
pub struct Cgroup {
    paths: Paths,
}

/// How a new process gets into the cgroup.
#[derive(Debug)]
pub struct Entry {
    /// The v2 directory, for `CLONE_INTO_CGROUP`.
    pub unified: Option<OwnedFd>,
    /// `cgroup.procs` of every v1 directory, open for writing: the process writes `0` to each.
    pub procs: Vec<OwnedFd>,
}

impl Cgroup {
    /// Makes every directory that is missing, parents included, and hands down what children need
    /// (v2: `cgroup.subtree_control`; v1 cpuset: `cpus` and `mems`). Directories that exist are taken as they are.
    pub fn create(_paths: &Paths) -> Result<Cgroup, Error> {
        todo!()
    }

    /// Takes directories that somebody else made. Nothing is checked or written.
    pub fn at(paths: &Paths) -> Cgroup {
        Cgroup { paths: paths.clone() }
    }

    /// Its directories.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Writes what is asked. A maximum that is a boundary (memory, pids, cpuset, quota) must be taken, else it is an
    /// error; niceties (swap where there is no swap accounting, oom group on v1) come back as refusals.
    pub fn apply(&self, _limits: &Limits) -> Result<Vec<Refusal>, Error> {
        todo!()
    }

    /// Opens what a new process needs to enter.
    pub fn entry(&self) -> Result<Entry, Error> {
        todo!()
    }

    /// Host pids in it and below, sorted.
    pub fn processes(&self) -> Result<Vec<i32>, Error> {
        todo!()
    }

    /// Sends SIGKILL to everything in it and below: `cgroup.kill`, or freeze, kill each, thaw.
    pub fn kill(&self) -> Result<(), Error> {
        todo!()
    }

    /// Kills until no process is left or the time is over.
    pub fn empty(&self, _limit: Duration) -> Result<(), Error> {
        todo!()
    }

    /// Removes the directories (not the shared ones), children first; those that are gone are fine. Retries while the kernel
    /// still holds a dying process.
    pub fn remove(&self) -> Result<(), Error> {
        todo!()
    }

    /// Reads all counters; files that are missing are `None`.
    pub fn stats(&self) -> Result<Stats, Error> {
        todo!()
    }

    /// Only the `oom_kill` counter; 0 where no hierarchy tells.
    pub fn oom_kills(&self) -> Result<u64, Error> {
        todo!()
    }
}
