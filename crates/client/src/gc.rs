//! Removes what runs have kept, and what killed ones have left. Nothing of a run that lives is touched: its alloc
//! directory is marked, and so are those of runs below other run directories.
use std::path::{Path, PathBuf};
use std::time::Duration;

use driver::denials::{LOCK, sweep};
use rustix::fs::fstat;
use rustix::io::Errno;

use crate::alloc_dir::{DataDir, MARK};
use crate::dirs::{Dir, is};
use crate::error::{Attempt, Error, HostError};
use crate::settings::Settings;
use crate::{ids, mounts, run_dir, tree};

/// What goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only what was kept at least so long ago.
    pub older_than: Duration,
    /// Only these allocations, by the beginning of their ids; none: all.
    pub ids: Vec<String>,
}

/// Something that went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The alloc directory.
    pub path: PathBuf,
    /// What it took on disk.
    pub bytes: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Collected {
    /// What went.
    pub removed: Vec<Removed>,
    /// What could not be removed.
    pub failures: Vec<Error>,
    /// Which of the wanted ids no kept allocation has.
    pub unknown: Vec<String>,
}

/// Removes the alloc directories that runs have kept.
///
/// # Errors
/// The data directory is none, or not root's alone.
pub fn gc(settings: &Settings, wanted: &Wanted) -> Result<Collected, Error> {
    let mut collected = Collected {
        unknown: wanted.ids.clone(),
        ..Collected::default()
    };
    if !settings.data_dir.exists() {
        return Ok(collected);
    }
    let data = DataDir::ensure(&settings.data_dir)?;
    let base = run_dir::ensure(&settings.run_dir)?;
    collected.failures.extend(run_dir::sweep(&base));
    let audit = sweep(Path::new(LOCK)).err();
    collected.failures.extend(audit.map(Error::Audit));
    collected
        .failures
        .extend(run_dir::sweep_other_boots(&data).err());
    let mut ids = data.alloc.names()?;
    ids.sort();
    for id in ids {
        let is_named = |wanted: &String| id.starts_with(wanted.as_str());
        if !wanted.ids.is_empty() && !wanted.ids.iter().any(is_named) {
            continue;
        }
        let Some(dir) = kept(&data, &base, &id) else {
            continue;
        };
        collected.unknown.retain(|wanted| !is_named(wanted));
        if age(&dir) >= wanted.older_than {
            match remove(&data, &id) {
                Ok(removed) => collected.removed.push(removed),
                Err(error) => collected.failures.push(error),
            }
        }
    }
    Ok(collected)
}

/// The directory, if it is a kept one: that has lost its mark and has no run directory any more. One that is just being
/// made has no mark yet, and nothing else in it either.
fn kept(data: &DataDir, base: &Dir, id: &str) -> Option<Dir> {
    let dir = data.alloc.child(id).ok()?;
    let lacks =
        |dir: &Dir, name: &str| matches!(dir.child(name), Err(error) if is(&error, Errno::NOENT));
    let is_unmarked = matches!(dir.read(MARK), Err(error) if is(&error, Errno::NOENT));
    let is_kept = is_unmarked && !lacks(&dir, "alloc") && lacks(base, ids::short(id));
    is_kept.then_some(dir)
}

/// Since something was last made or removed in it, which is when it lost its mark.
fn age(dir: &Dir) -> Duration {
    let changed = fstat(dir).map_or(0, |stat| stat.st_mtime);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    now.saturating_sub(Duration::from_secs(u64::try_from(changed).unwrap_or(0)))
}

fn remove(data: &DataDir, id: &str) -> Result<Removed, Error> {
    let path = data.alloc.path().join(id);
    mounts::detach_below(&path)?;
    let removed: Result<u64, HostError> =
        tree::remove_counting(&data.alloc, id).attempt(|| format!("remove {}", path.display()));
    Ok(Removed {
        bytes: removed?,
        path,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::testing::{Scratch, root};

    fn settings(scratch: &Scratch) -> Settings {
        Settings {
            data_dir: scratch.path().join("data"),
            run_dir: scratch.path().join("run"),
            ..Settings::default()
        }
    }

    fn keep(settings: &Settings, id: &str) -> PathBuf {
        DataDir::ensure(&settings.data_dir).unwrap();
        let path = settings.data_dir.join("alloc").join(id);
        std::fs::create_dir_all(path.join("alloc/logs")).unwrap();
        std::fs::write(path.join("alloc/logs/big"), vec![b'x'; 200_000]).unwrap();
        path
    }

    fn names(collected: &Collected) -> Vec<String> {
        let name = |removed: &Removed| {
            removed
                .path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        };
        collected.removed.iter().map(name).collect()
    }

    #[test]
    fn what_was_kept_goes_and_its_size_is_told() {
        if !root() {
            return;
        }
        let scratch = Scratch::new();
        let settings = settings(&scratch);
        let path = keep(&settings, "aaaa0000-1");
        let outside = scratch.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        symlink(&outside, path.join("alloc/link")).unwrap();
        let collected = gc(&settings, &Wanted::default()).unwrap();
        assert_eq!(names(&collected), ["aaaa0000-1"]);
        assert!(collected.removed[0].bytes >= 200_000);
        assert!(collected.failures.is_empty(), "{:?}", collected.failures);
        assert!(!path.exists() && outside.exists());
    }

    #[test]
    fn what_a_run_uses_stays() {
        if !root() {
            return;
        }
        let scratch = Scratch::new();
        let settings = settings(&scratch);
        let marked = keep(&settings, "bbbb0000-1");
        std::fs::write(marked.join(MARK), ids::boot_id().unwrap()).unwrap();
        let ending = keep(&settings, "cccc0000-1");
        let run = settings.run_dir.join("cccc0000");
        std::fs::create_dir_all(&run).unwrap();
        let lock = std::fs::File::create(run.join("lock")).unwrap();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let half_made = settings.data_dir.join("alloc/dddd0000-1");
        std::fs::create_dir(&half_made).unwrap();
        let collected = gc(&settings, &Wanted::default()).unwrap();
        assert_eq!(names(&collected), [""; 0]);
        assert!(marked.exists() && ending.exists() && half_made.exists());
        let named = Wanted {
            ids: vec!["bbbb".to_owned(), "cccc".to_owned()],
            ..Wanted::default()
        };
        let unknown = gc(&settings, &named).unwrap().unknown;
        assert_eq!(unknown, ["bbbb", "cccc"], "not kept ones");
    }

    #[test]
    fn only_what_is_named_and_old_enough_goes() {
        if !root() {
            return;
        }
        let scratch = Scratch::new();
        let settings = settings(&scratch);
        keep(&settings, "aaaa0000-1");
        keep(&settings, "aabb0000-1");
        let mut wanted = Wanted {
            ids: vec!["aab".to_owned(), "ff".to_owned()],
            ..Wanted::default()
        };
        let collected = gc(&settings, &wanted).unwrap();
        assert_eq!(names(&collected), ["aabb0000-1"]);
        assert_eq!(collected.unknown, ["ff"]);
        wanted = Wanted {
            older_than: Duration::from_secs(3600),
            ids: vec!["aaaa".to_owned()],
        };
        let collected = gc(&settings, &wanted).unwrap();
        assert_eq!(names(&collected), [""; 0]);
        assert_eq!(collected.unknown, [""; 0], "kept, and too young");
    }

    #[test]
    fn without_a_data_directory_none_is_made() {
        let scratch = Scratch::new();
        let settings = settings(&scratch);
        assert!(
            gc(&settings, &Wanted::default())
                .unwrap()
                .removed
                .is_empty()
        );
        assert!(!settings.data_dir.exists() && !settings.run_dir.exists());
    }
}
