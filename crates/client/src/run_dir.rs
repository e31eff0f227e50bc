//! The directory that lives as long as a run, and the sweep of those whose run was killed.
//!
//! A run holds a lock on `lock` in its directory; the kernel drops it when the run dies, however it dies. Directories
//! are made, looked through and removed under the lock of `.lock` beside them, so that nobody meets a half-made one.
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use crate::alloc_dir::{DataDir, MARK, ensure_base};
use crate::allocation::STATE;
use crate::dirs::{Dir, ROOT, is};
use crate::error::{Attempt, Error, HostError};
use crate::journal::{Journal, remove_entry};
use crate::{ids, mounts, tree};

pub(crate) const LOCK: &str = "lock";
const JOURNAL: &str = "run.json";
const ALL: &str = ".lock";

/// A run's own directory, locked.
#[derive(Debug)]
pub(crate) struct RunDir {
    base: PathBuf,
    name: String,
    dir: Dir,
    journal: Journal,
    _lock: File,
}

/// Makes the directory that holds all runs' directories, or takes it.
pub(crate) fn ensure(base: &Path) -> Result<Dir, Error> {
    ensure_base(base, 0o700)
}

impl RunDir {
    /// Makes the directory of a new run. `None`: the name is taken.
    pub(crate) fn create(
        base: &Dir,
        name: &str,
        journal: Journal,
    ) -> Result<Option<RunDir>, HostError> {
        let _all = lock_all(base)?;
        let dir = match base.make(name, 0o700, ROOT) {
            Err(error) if is(&error, Errno::EXIST) => return Ok(None),
            other => other?,
        };
        let lock = dir.file(LOCK, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?;
        // Whoever looks whether the run lives holds it for a moment.
        flock(&lock, FlockOperation::LockExclusive)
            .attempt(|| format!("lock {}", dir.path().display()))?;
        dir.make(STATE, 0o700, ROOT)?;
        let run = RunDir {
            base: base.path().to_owned(),
            name: name.to_owned(),
            dir,
            journal,
            _lock: lock,
        };
        run.write()?;
        Ok(Some(run))
    }

    /// Where fifos and records go.
    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Writes down what is about to be made.
    pub(crate) fn record(&mut self, change: impl FnOnce(&mut Journal)) -> Result<(), HostError> {
        change(&mut self.journal);
        self.write()
    }

    fn write(&self) -> Result<(), HostError> {
        let text = serde_json::to_string(&self.journal)
            .map_err(std::io::Error::from)
            .attempt(|| "write down the run".to_owned())?;
        self.dir.replace(JOURNAL, &text)
    }

    /// Undoes the run and removes its directory. When something cannot be undone the directory stays, and the next
    /// run tries again.
    pub(crate) fn clear(self) -> Result<(), Error> {
        self.journal.undo()?;
        // Where the group had a network of its own.
        mounts::detach_below(self.dir.path())?;
        let base = Dir::open(&self.base)?;
        let _all = lock_all(&base)?;
        Ok(tree::remove(base.as_fd(), &self.name)
            .attempt(|| format!("remove {}", self.dir.path().display()))?)
    }
}

/// Whether the run of this directory lives.
pub(crate) fn is_held(dir: &Dir) -> bool {
    let lock = dir.file(LOCK, OFlags::RDWR);
    lock.is_ok_and(|lock| {
        let taken = flock(&lock, FlockOperation::NonBlockingLockShared);
        matches!(taken, Err(Errno::WOULDBLOCK))
    })
}

/// Undoes every run that was killed. What could not be undone comes back in words; it stops nobody.
pub(crate) fn sweep(base: &Dir) -> Vec<Error> {
    match abandoned(base) {
        Ok(runs) => runs
            .into_iter()
            .filter_map(|run| run.clear().err())
            .collect(),
        Err(error) => vec![error.into()],
    }
}

fn abandoned(base: &Dir) -> Result<Vec<RunDir>, HostError> {
    let _all = lock_all(base)?;
    let mut found = Vec::new();
    for name in base
        .names()?
        .into_iter()
        .filter(|name| !name.starts_with('.'))
    {
        found.extend(take_over(base, &name)?);
    }
    Ok(found)
}

/// The run's directory if nobody holds its lock any more.
fn take_over(base: &Dir, name: &str) -> Result<Option<RunDir>, HostError> {
    let dir = match base.child(name) {
        Err(error)
            if is(&error, Errno::NOENT) || is(&error, Errno::NOTDIR) || is(&error, Errno::LOOP) =>
        {
            return Ok(None);
        }
        other => other?,
    };
    // The lock is there from the first moment to the last, so one that is missing belongs to nobody.
    let lock = dir.file(LOCK, OFlags::RDWR | OFlags::CREATE)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => return Ok(None),
        other => other.attempt(|| format!("lock {}", dir.path().display()))?,
    }
    let journal = dir
        .read(JOURNAL)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    Ok(Some(RunDir {
        base: base.path().to_owned(),
        name: name.to_owned(),
        dir,
        journal,
        _lock: lock,
    }))
}

fn lock_all(base: &Dir) -> Result<File, HostError> {
    let file = base.file(ALL, OFlags::RDWR | OFlags::CREATE)?;
    flock(&file, FlockOperation::LockExclusive)
        .attempt(|| format!("lock {}", base.path().display()))?;
    Ok(file)
}

/// Removes alloc directories that runs of another boot have left: their run directories went with a `/run` in memory.
pub(crate) fn sweep_other_boots(data: &DataDir) -> Result<(), Error> {
    let boot = ids::boot_id()?;
    for id in data.alloc.names()? {
        let mark = data.alloc.child(&id).and_then(|dir| dir.read(MARK));
        if mark.is_ok_and(|of| !of.is_empty() && of != boot) {
            remove_allocation(data, &id)?;
        }
    }
    Ok(())
}

fn remove_allocation(data: &DataDir, id: &str) -> Result<(), Error> {
    mounts::detach_below(&data.alloc.path().join(id))?;
    for name in data.mounts.names()?.iter().filter(|name| {
        name.strip_prefix(id)
            .is_some_and(|rest| rest.starts_with('-'))
    }) {
        remove_entry(data.mounts.path(), name)?;
    }
    Ok(remove_entry(data.alloc.path(), id)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::alloc_dir::{self, Layout};
    use crate::dirs::Owner;
    use crate::testing::{Scratch, root};
    use crate::users;

    const LAYOUT: Layout = Layout::Private(Owner {
        uid: 80_017,
        gid: 80_017,
    });

    struct World {
        scratch: Scratch,
        base: Dir,
        data: DataDir,
    }

    fn world() -> World {
        let scratch = Scratch::new();
        let base = ensure(&scratch.path().join("run")).unwrap();
        let data = DataDir::ensure(&scratch.path().join("data")).unwrap();
        World {
            scratch,
            base,
            data,
        }
    }

    impl World {
        fn run(&self, id: &str, boot_id: &str) -> (RunDir, users::Claim) {
            let claim = users::claim(&self.data.users, &(80_000..=89_999), 5).unwrap();
            let journal = Journal {
                boot_id: boot_id.to_owned(),
                data_dir: self.data.path.clone(),
                alloc: Some(id.to_owned()),
                mounts: vec![format!("{id}-t")],
                uids: vec![claim.uid],
                ..Journal::default()
            };
            let run = RunDir::create(&self.base, id, journal).unwrap().unwrap();
            let shared = alloc_dir::build(&self.data, id, boot_id).unwrap();
            shared.task(&self.data, "t", LAYOUT).unwrap();
            (run, claim)
        }

        /// Everything that is left, but for what every host with encamp has.
        fn left(&self) -> Vec<String> {
            let mut left = Vec::new();
            for (dir, fixed) in [
                (&self.base, ALL),
                (&self.data.alloc, ""),
                (&self.data.mounts, ""),
                (&self.data.users, "resting"),
            ] {
                left.extend(
                    dir.names()
                        .unwrap()
                        .into_iter()
                        .filter(|name| name != fixed),
                );
            }
            let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
            let ours = self.scratch.path().display().to_string();
            left.extend(
                mounts
                    .lines()
                    .filter(|line| line.contains(&ours))
                    .map(str::to_owned),
            );
            left
        }
    }

    #[test]
    fn a_run_that_ends_leaves_nothing() {
        if !root() {
            return;
        }
        let world = world();
        let (run, claim) = world.run("one", &ids::boot_id().unwrap());
        drop(claim);
        run.clear().unwrap();
        assert_eq!(world.left(), [""; 0]);
    }

    #[test]
    fn a_kept_alloc_directory_loses_its_secrets_and_survives_sweeps() {
        if !root() {
            return;
        }
        let world = world();
        let (mut run, claim) = world.run("one", "another boot");
        std::fs::write(world.data.path.join("alloc/one/t/secrets/key"), "k").unwrap();
        drop(claim);
        run.record(|journal| journal.keep = true).unwrap();
        run.clear().unwrap();
        assert!(sweep(&world.base).is_empty());
        sweep_other_boots(&world.data).unwrap();
        assert_eq!(world.left(), ["one"]);
        assert!(!world.data.path.join("alloc/one/t/secrets/key").exists());
    }

    #[test]
    fn the_next_run_clears_up_behind_a_killed_one() {
        if !root() {
            return;
        }
        let world = world();
        drop(world.run("dead", &ids::boot_id().unwrap()));
        let (alive, claim) = world.run("alive", &ids::boot_id().unwrap());
        assert!(sweep(&world.base).is_empty());
        assert!(!world.data.path.join("alloc/dead").exists());
        assert!(world.data.path.join("alloc/alive/t/local").exists());
        drop(claim);
        alive.clear().unwrap();
        assert_eq!(world.left(), [""; 0]);
    }

    #[test]
    fn a_run_of_another_boot_is_cleared_although_run_was_in_memory() {
        if !root() {
            return;
        }
        let world = world();
        drop(world.run("old", "another boot"));
        std::fs::remove_dir_all(world.base.path()).unwrap();
        sweep_other_boots(&world.data).unwrap();
        assert!(world.data.alloc.names().unwrap().is_empty());
        assert!(world.data.mounts.names().unwrap().is_empty());
    }

    #[test]
    fn a_half_made_directory_is_swept() {
        if !root() {
            return;
        }
        let world = world();
        world.base.make("half", 0o700, ROOT).unwrap();
        assert!(sweep(&world.base).is_empty());
        assert_eq!(world.left(), [""; 0]);
    }

    #[test]
    fn many_runs_at_once_do_not_sweep_each_other() {
        if !root() {
            return;
        }
        let world = world();
        let boot = ids::boot_id().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (world, boot) = (&world, &boot);
                scope.spawn(move || {
                    for round in 0..5 {
                        assert!(sweep(&world.base).is_empty());
                        let (run, claim) = world.run(&format!("{thread}-{round}"), boot);
                        assert!(
                            world
                                .data
                                .path
                                .join(format!("alloc/{thread}-{round}/t/local"))
                                .exists()
                        );
                        drop(claim);
                        run.clear().unwrap();
                    }
                });
            }
        });
        assert_eq!(world.left(), [""; 0]);
    }
}
