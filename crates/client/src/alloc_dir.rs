//! The alloc directory, laid out as Nomad's client does it, with one difference: only root enters it from the host.
//! Nomad leaves it open (its tasks' directories are 0777) and relies on its name being hard to guess, but
//! `/proc/mounts` tells the name to everybody.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use driver::FsIsolation;
use rustix::fs::{Mode, OFlags};

use crate::allocation::{ALLOC, ALLOC_MOUNTS, CORES, PORTS, USERS, mounts_name};
use crate::dirs::{Dir, Owner, ROOT};
use crate::error::{Attempt, Error, HostError};
use crate::{mounts, users_file};

/// Names the boot during which a run made this directory; a kept directory has none.
pub(crate) const MARK: &str = ".running";

/// How the directories of a task differ from driver to driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Open to any uid that the task may take: nobody else can see them.
    Open,
    /// For one uid alone, with a place where it sees them.
    Private(Owner),
}

impl Layout {
    pub(crate) fn of(isolation: FsIsolation, owner: Owner) -> Layout {
        match isolation {
            FsIsolation::Unveil => Layout::Private(owner),
            FsIsolation::None | FsIsolation::Chroot | FsIsolation::Image => Layout::Open,
        }
    }

    fn owned(self, nobody: Owner) -> (u32, Owner) {
        match self {
            Layout::Open => (0o777, nobody),
            Layout::Private(owner) => (0o710, owner),
        }
    }
}

/// The data directory and the places in it, open.
#[derive(Debug)]
pub(crate) struct DataDir {
    pub(crate) path: PathBuf,
    pub(crate) alloc: Dir,
    pub(crate) mounts: Dir,
    pub(crate) users: Dir,
    pub(crate) cores: Dir,
    pub(crate) ports: Dir,
}

impl DataDir {
    /// Makes what is missing of it. Its path comes back without links, as the kernel spells mount points.
    pub(crate) fn ensure(path: &Path) -> Result<DataDir, Error> {
        let top = ensure_base(path, 0o711)?;
        Ok(DataDir {
            path: top.path().to_owned(),
            alloc: top.ensure(ALLOC, 0o711)?,
            mounts: top.ensure(ALLOC_MOUNTS, 0o711)?,
            users: top.ensure(USERS, 0o700)?,
            cores: top.ensure(CORES, 0o700)?,
            ports: top.ensure(PORTS, 0o700)?,
        })
    }
}

/// Makes a directory of ours with its parents, or takes the one that is there if only root can change it.
pub(crate) fn ensure_base(path: &Path, mode: u32) -> Result<Dir, Error> {
    if !path.exists() {
        make_base(path, mode).attempt(|| format!("make the directory {}", path.display()))?;
    }
    let plain = path
        .canonicalize()
        .attempt(|| format!("find {}", path.display()))?;
    let dir = Dir::open(&plain)?;
    if !dir.is_roots_alone()? {
        return Err(Error::Unsafe { path: plain });
    }
    Ok(dir)
}

fn make_base(path: &Path, mode: u32) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) => Ok(rustix::fs::chmod(path, Mode::from_raw_mode(mode))?),
        // Another run was faster.
        Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The directories of one allocation, open since before any task could write to them.
#[derive(Debug)]
pub(crate) struct AllocDir {
    id: String,
    top: Dir,
    /// Where log files go.
    pub(crate) logs: Arc<Dir>,
}

/// Builds what the tasks of an allocation share, below the data directory.
pub(crate) fn build(data: &DataDir, alloc_id: &str, boot_id: &str) -> Result<AllocDir, HostError> {
    let nobody = users_file::nobody();
    let top = data.alloc.make(alloc_id, 0o700, ROOT)?;
    top.file(MARK, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
    top.replace(MARK, boot_id)?;
    let shared = top.make("alloc", 0o777, nobody)?;
    let logs = shared.make("logs", 0o777, nobody)?;
    for name in ["tmp", "data"] {
        shared.make(name, 0o777, nobody)?;
    }
    Ok(AllocDir {
        id: alloc_id.to_owned(),
        top,
        logs: Arc::new(logs),
    })
}

impl AllocDir {
    /// Builds what is one task's own.
    pub(crate) fn task(&self, data: &DataDir, task: &str, layout: Layout) -> Result<(), HostError> {
        let nobody = users_file::nobody();
        let (mode, owner) = layout.owned(nobody);
        let own = self.top.make(task, mode, owner)?;
        own.make("local", 0o777, nobody)?;
        own.make("tmp", 0o1777, nobody)?;
        in_memory(&own, "secrets", mode, owner)?;
        in_memory(&own, "private", 0o700, ROOT)?;
        if let Layout::Private(owner) = layout {
            data.mounts
                .make(&mounts_name(&self.id, task), 0o710, owner)?;
        }
        Ok(())
    }
}

fn in_memory(parent: &Dir, name: &str, mode: u32, owner: Owner) -> Result<(), HostError> {
    let under = parent.make(name, 0o700, ROOT)?;
    mounts::memory(&under, mode, owner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::testing::{Scratch, root};

    const TASK: Owner = Owner {
        uid: 80_017,
        gid: 80_017,
    };

    /// Every directory with mode and owner, sorted by path.
    fn listing(top: &Path) -> Vec<String> {
        let nobody = users_file::nobody();
        let mut found = Vec::new();
        let mut open = vec![top.to_owned()];
        while let Some(path) = open.pop() {
            let meta = path.symlink_metadata().unwrap();
            if meta.is_dir() {
                let owner = if meta.uid() == nobody.uid {
                    "nobody".to_owned()
                } else {
                    format!("{}:{}", meta.uid(), meta.gid())
                };
                let name = path.strip_prefix(top).unwrap().display();
                found.push(format!("{name} {:o} {owner}", meta.mode() & 0o7777));
                open.extend(
                    std::fs::read_dir(&path)
                        .unwrap()
                        .map(|entry| entry.unwrap().path()),
                );
            }
        }
        found.sort();
        found
    }

    fn built(layout: Layout) -> (Scratch, Vec<String>) {
        let scratch = Scratch::new();
        let data = DataDir::ensure(&scratch.path().join("data")).unwrap();
        let shared = build(&data, "id", "boot").unwrap();
        shared.task(&data, "t", layout).unwrap();
        let listing = listing(&data.path);
        (scratch, listing)
    }

    #[test]
    fn an_exec_task_has_nomads_directories() {
        if !root() {
            return;
        }
        let (_scratch, listing) = built(Layout::Open);
        let expected = [
            " 711 0:0",
            "alloc 711 0:0",
            "alloc/id 700 0:0",
            "alloc/id/alloc 777 nobody",
            "alloc/id/alloc/data 777 nobody",
            "alloc/id/alloc/logs 777 nobody",
            "alloc/id/alloc/tmp 777 nobody",
            "alloc/id/t 777 nobody",
            "alloc/id/t/local 777 nobody",
            "alloc/id/t/private 700 0:0",
            "alloc/id/t/secrets 777 nobody",
            "alloc/id/t/tmp 1777 nobody",
            "alloc_mounts 711 0:0",
            "cores 700 0:0",
            "ports 700 0:0",
            "users 700 0:0",
        ];
        assert_eq!(listing, expected);
    }

    #[test]
    fn an_exec2_tasks_directories_are_its_own() {
        if !root() {
            return;
        }
        let (_scratch, listing) = built(Layout::Private(TASK));
        for line in [
            "alloc/id 700 0:0",
            "alloc/id/t 710 80017:80017",
            "alloc/id/t/secrets 710 80017:80017",
            "alloc_mounts/id-t 710 80017:80017",
        ] {
            assert!(
                listing.iter().any(|found| found == line),
                "{line} in {listing:#?}"
            );
        }
    }

    #[test]
    fn secrets_are_in_memory_and_nothing_runs_there() {
        if !root() {
            return;
        }
        let (scratch, _) = built(Layout::Open);
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let top = scratch.path().join("data/alloc/id/t").display().to_string();
        for name in ["secrets", "private"] {
            let line = table
                .lines()
                .find(|line| line.contains(&format!(" {top}/{name} ")))
                .unwrap();
            for word in ["nosuid", "nodev", "noexec", " - tmpfs ", "size=1024k"] {
                assert!(line.contains(word), "{word} in {line}");
            }
        }
    }

    #[test]
    fn a_data_directory_that_others_can_change_is_refused() {
        if !root() {
            return;
        }
        let scratch = Scratch::new();
        let open = scratch.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .unwrap();
        assert!(matches!(DataDir::ensure(&open), Err(Error::Unsafe { .. })));
    }
}
