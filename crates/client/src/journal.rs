//! What a run has made or is about to make, written down first, so that whoever comes next can undo it.
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cgroup::{Cgroup, Paths};
use serde::{Deserialize, Serialize};

use crate::alloc_dir::MARK;
use crate::allocation::{ALLOC, ALLOC_MOUNTS, USERS};
use crate::dirs::Dir;
use crate::error::{Attempt, Error, HostError};
use crate::{ids, mounts, tree, users};

/// How long processes may take to die once they were killed.
const DYING: Duration = Duration::from_secs(10);

/// Everything outside a run's own directory. Names, not paths, where a directory of ours holds them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Journal {
    /// Cgroups and mounts of another boot are gone.
    pub(crate) boot_id: String,
    pub(crate) data_dir: PathBuf,
    /// Below `<data dir>/alloc`.
    pub(crate) alloc: Option<String>,
    /// The alloc directory stays, without its mounts.
    pub(crate) keep: bool,
    /// Below `<data dir>/alloc_mounts`.
    pub(crate) mounts: Vec<String>,
    /// One for each task.
    pub(crate) cgroups: Vec<Paths>,
    /// Those that were claimed.
    pub(crate) uids: Vec<u32>,
}

impl Journal {
    /// Undoes everything, the last first: processes, mounts, directories, the uids. What cannot be undone comes back,
    /// and what rests on it is left alone: a tree with a live process or a mount in it is not removed.
    pub(crate) fn undo(&self) -> Result<(), Error> {
        self.end_processes()?;
        self.detach()?;
        self.remove_directories()?;
        self.release_uids()
    }

    fn end_processes(&self) -> Result<(), Error> {
        let is_this_boot = ids::boot_id().is_ok_and(|boot| boot == self.boot_id);
        if !is_this_boot {
            return Ok(());
        }
        for paths in &self.cgroups {
            let cgroup = Cgroup::at(paths);
            cgroup.empty(DYING)?;
            cgroup.remove()?;
        }
        Ok(())
    }

    fn detach(&self) -> Result<(), Error> {
        for (place, name) in self.trees() {
            mounts::detach_below(&self.data_dir.join(place).join(name))?;
        }
        Ok(())
    }

    fn remove_directories(&self) -> Result<(), Error> {
        for (place, name) in self.trees() {
            if place == ALLOC && self.keep {
                remove_entry(&self.data_dir.join(place).join(name), MARK)?;
            } else {
                remove_entry(&self.data_dir.join(place), name)?;
            }
        }
        Ok(())
    }

    fn trees(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let mounts = self.mounts.iter();
        mounts
            .map(|name| (ALLOC_MOUNTS, name.as_str()))
            .chain(self.alloc.as_deref().map(|name| (ALLOC, name)))
    }

    fn release_uids(&self) -> Result<(), Error> {
        if self.uids.is_empty() {
            return Ok(());
        }
        let Some(dir) = open_if_there(&self.data_dir.join(USERS))? else {
            return Ok(());
        };
        for uid in &self.uids {
            users::release(&dir, *uid)?;
        }
        Ok(())
    }
}

/// Removes a file or tree; gone is fine, and so is a missing parent.
pub(crate) fn remove_entry(parent: &Path, name: &str) -> Result<(), HostError> {
    match open_if_there(parent)? {
        Some(dir) => tree::remove(dir.as_fd(), name)
            .attempt(|| format!("remove {}", parent.join(name).display())),
        None => Ok(()),
    }
}

fn open_if_there(path: &Path) -> Result<Option<Dir>, HostError> {
    match Dir::open(path) {
        Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}
