//! Ending every process of a cgroup.
//!
//! `cgroup.kill` where there is a v2 directory: one write, no fork escapes it. What then is in a v1 directory only (left
//! there by somebody who moved it) and, without a v2 directory, everything is killed under the freezer: freeze, so that
//! nobody forks; signal each; thaw, because a process frozen on v1 does not die.
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

use crate::procs::{listed, walk};
use crate::{Controller, Error, Paths, file};

/// How many pidfds are open at a time.
const BATCH: usize = 64;

/// Waits for the freezer, growing from the first to the sum of some 200 ms; a process in an uninterruptible call may
/// never freeze, and is signalled all the same.
const FREEZE_STEPS: [u64; 9] = [100, 200, 500, 1_000, 5_000, 10_000, 30_000, 50_000, 100_000];

/// Sends SIGKILL to everything in the directories that are not shared, and below them.
pub(crate) fn kill(paths: &Paths) -> Result<(), Error> {
    refuse_root(paths)?;
    let me = getpid().as_raw_pid();
    let before = paths
        .unified
        .as_deref()
        .map(listed)
        .transpose()?
        .unwrap_or_default();
    let killed = match &paths.unified {
        Some(dir) if before.binary_search(&me).is_err() => kill_at_once(dir)?,
        _ => false,
    };
    let freezer = paths.v1.get(&Controller::Freezer).map(|dir| dir.as_path());
    if killed && !has_strays(paths, &before)? {
        return freezer.map_or(Ok(()), thaw);
    }
    let freezer = match freezer {
        Some(dir) if listed(dir)?.binary_search(&me).is_err() => Some(dir),
        _ => None,
    };
    let frozen = freezer.map_or(Ok(()), freeze);
    let signalled = paths.own().try_for_each(|dir| signal_each(dir, me));
    // Also after a failure: nothing may stay frozen.
    let thawed = freezer.map_or(Ok(()), thaw);
    frozen.and(signalled).and(thawed)
}

/// Whether the kernel took `1` in `cgroup.kill`, which is there since 5.14.
fn kill_at_once(dir: &Path) -> Result<bool, Error> {
    let path = dir.join("cgroup.kill");
    match file::try_write(&path, "1") {
        Ok(()) => Ok(true),
        Err(error) if file::is_absent(&error) => Ok(false),
        Err(error) => Err(file::write_error(&path, "1", error)),
    }
}

/// Whether a v1 directory holds a process that `cgroup.kill` cannot have reached.
fn has_strays(paths: &Paths, reached: &[i32]) -> Result<bool, Error> {
    for dir in paths.own_v1() {
        if listed(dir)?
            .iter()
            .any(|pid| reached.binary_search(pid).is_err())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn freeze(dir: &Path) -> Result<(), Error> {
    let path = dir.join("freezer.state");
    match file::try_write(&path, "FROZEN") {
        Err(error) if file::is_absent(&error) => return Ok(()),
        result => result.map_err(|source| file::write_error(&path, "FROZEN", source))?,
    }
    for microseconds in FREEZE_STEPS {
        if file::read(&path)?.is_none_or(|state| state.trim() == "FROZEN") {
            break;
        }
        std::thread::sleep(Duration::from_micros(microseconds));
    }
    Ok(())
}

/// Thaws `dir` and below: a child that was frozen by itself stays frozen when its parent thaws.
fn thaw(dir: &Path) -> Result<(), Error> {
    walk(dir, &mut |dir| {
        let path = dir.join("freezer.state");
        match file::read(&path)? {
            Some(state) if state.trim() != "THAWED" => match file::try_write(&path, "THAWED") {
                Err(error) if !file::is_absent(&error) => {
                    Err(file::write_error(&path, "THAWED", error))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    })
}

fn signal_each(dir: &Path, me: i32) -> Result<(), Error> {
    for batch in listed(dir)?.chunks(BATCH) {
        let mut held = Vec::with_capacity(batch.len());
        for pid in batch.iter().copied().filter(|pid| *pid > 1 && *pid != me) {
            match Pid::from_raw(pid).map(|pid| pidfd_open(pid, PidfdFlags::empty())) {
                Some(Ok(pidfd)) => held.push((pid, pidfd)),
                Some(Err(Errno::SRCH | Errno::INVAL)) | None => {}
                Some(Err(errno)) => {
                    return Err(Error::io(format!("open process {pid} of"), dir, errno));
                }
            }
        }
        // A pid may have gone to a stranger before its pidfd was opened; one that is still listed has not.
        let still = listed(dir)?;
        for (pid, pidfd) in held
            .iter()
            .filter(|(pid, _)| still.binary_search(pid).is_ok())
        {
            match pidfd_send_signal(pidfd, Signal::KILL) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(errno) => return Err(Error::io(format!("kill process {pid} of"), dir, errno)),
            }
        }
    }
    Ok(())
}

/// The root of a hierarchy holds every process of the host that is nowhere else.
pub(crate) fn refuse_root(paths: &Paths) -> Result<(), Error> {
    let is_root = |dir: &&Path| dir.join("cgroup.sane_behavior").exists();
    // Only the root of v2 has no `cgroup.type` (cgroup-v2.rst).
    let is_v2_root =
        |dir: &&Path| dir.join("cgroup.controllers").exists() && !dir.join("cgroup.type").exists();
    let unified = paths.unified.as_deref().filter(is_v2_root);
    match unified.or_else(|| paths.own_v1().into_iter().find(|dir| is_root(dir))) {
        Some(dir) => Err(Error::unusable(dir, "it is the root of the hierarchy")),
        None => Ok(()),
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    fn cgroup(dir: PathBuf, files: &[(&str, &str)]) -> PathBuf {
        fs::create_dir_all(&dir).unwrap();
        for (name, text) in files {
            fs::write(dir.join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn cgroup_kill_is_enough_on_v2() {
        let root = tempfile::tempdir().unwrap();
        let dir = cgroup(
            root.path().join("x"),
            &[("cgroup.kill", ""), ("cgroup.procs", "")],
        );
        kill(&Paths {
            unified: Some(dir.clone()),
            ..Paths::default()
        })
        .unwrap();
        assert_eq!(fs::read_to_string(dir.join("cgroup.kill")).unwrap(), "1");
    }

    #[test]
    fn a_cgroup_with_ourselves_in_it_is_not_killed_at_once() {
        let root = tempfile::tempdir().unwrap();
        let procs = format!("{}\n", std::process::id());
        let dir = cgroup(
            root.path().join("x"),
            &[("cgroup.kill", ""), ("cgroup.procs", &procs)],
        );
        kill(&Paths {
            unified: Some(dir.clone()),
            ..Paths::default()
        })
        .unwrap();
        assert_eq!(fs::read_to_string(dir.join("cgroup.kill")).unwrap(), "");
    }

    #[test]
    fn a_freezer_with_ourselves_in_it_is_not_frozen() {
        let root = tempfile::tempdir().unwrap();
        let procs = format!("{}\n", std::process::id());
        let dir = cgroup(
            root.path().join("x"),
            &[("freezer.state", "THAWED\n"), ("cgroup.procs", &procs)],
        );
        kill(&Paths {
            v1: [(Controller::Freezer, dir.clone())].into(),
            ..Paths::default()
        })
        .unwrap();
        assert_eq!(
            fs::read_to_string(dir.join("freezer.state")).unwrap(),
            "THAWED\n"
        );
    }

    #[test]
    fn nothing_stays_frozen() {
        let root = tempfile::tempdir().unwrap();
        let dir = cgroup(
            root.path().join("x"),
            &[("freezer.state", "FROZEN\n"), ("cgroup.procs", "")],
        );
        let below = cgroup(
            dir.join("below"),
            &[("freezer.state", "FROZEN\n"), ("cgroup.procs", "")],
        );
        kill(&Paths {
            v1: [(Controller::Freezer, dir.clone())].into(),
            ..Paths::default()
        })
        .unwrap();
        for dir in [dir, below] {
            assert_eq!(
                fs::read_to_string(dir.join("freezer.state")).unwrap(),
                "THAWED"
            );
        }
    }

    #[test]
    fn the_root_of_a_hierarchy_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let v1 = cgroup(
            root.path().join("v1"),
            &[("cgroup.sane_behavior", "0\n"), ("cgroup.procs", "")],
        );
        let v2 = cgroup(
            root.path().join("v2"),
            &[("cgroup.controllers", ""), ("cgroup.kill", "")],
        );
        let error = kill(&Paths {
            v1: [(Controller::Memory, v1)].into(),
            ..Paths::default()
        })
        .unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("it is the root of the hierarchy")
        );
        kill(&Paths {
            unified: Some(v2.clone()),
            ..Paths::default()
        })
        .unwrap_err();
        assert_eq!(fs::read_to_string(v2.join("cgroup.kill")).unwrap(), "");
    }

    #[test]
    fn a_cgroup_that_is_gone_needs_no_killing() {
        let root = tempfile::tempdir().unwrap();
        let v1 = [
            (Controller::Freezer, root.path().join("f")),
            (Controller::Memory, root.path().join("m")),
        ]
        .into();
        kill(&Paths {
            unified: Some(root.path().join("u")),
            v1,
            ..Paths::default()
        })
        .unwrap();
    }
}
