//! Who is in a directory and below.
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{Error, Paths, file};

/// Calls `visit` for `dir` and every cgroup below it, parents first; one that is gone is passed over.
pub(crate) fn walk(
    dir: &Path,
    visit: &mut impl FnMut(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    visit(dir)?;
    for child in children(dir).map_err(|source| Error::io("list", dir, source))? {
        walk(&child, visit)?;
    }
    Ok(())
}

fn children(dir: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let absent = |error: io::Error| {
        if file::is_absent(&error) {
            Ok(Vec::new())
        } else {
            Err(error)
        }
    };
    match fs::metadata(dir) {
        // kernfs counts a link for itself, one for its name and one for each child: most cgroups have none.
        Ok(metadata) if metadata.nlink() == 2 => return Ok(Vec::new()),
        Ok(_) => {}
        Err(error) => return absent(error),
    }
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => return absent(error),
    };
    let dirs = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    Ok(dirs.map(|entry| entry.path()).collect())
}

/// Pids in `dir` and below, sorted. Those of processes outside the caller's pid namespace, which v2 lists as 0 and v1
/// not at all, are left out.
pub(crate) fn listed(dir: &Path) -> Result<Vec<i32>, Error> {
    let mut pids = Vec::new();
    walk(dir, &mut |dir| {
        let text = file::read(&dir.join("cgroup.procs"))?.unwrap_or_default();
        pids.extend(
            text.lines()
                .filter_map(|line| line.parse::<i32>().ok())
                .filter(|pid| *pid > 0),
        );
        Ok(())
    })?;
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

/// Whether any process is left in the directories that are not shared, also one that the caller cannot see or that is
/// still being taken down.
pub(crate) fn populated(paths: &Paths) -> Result<bool, Error> {
    if let Some(dir) = &paths.unified {
        match events_populated(&file::read(&dir.join("cgroup.events"))?.unwrap_or_default()) {
            Some(true) => return Ok(true),
            Some(false) => {}
            None if occupied(dir)? => return Ok(true),
            None => {}
        }
    }
    for dir in paths.own_v1() {
        if occupied(dir)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn events_populated(text: &str) -> Option<bool> {
    file::keyed(text, "populated").map(|value| value != 0)
}

fn occupied(dir: &Path) -> Result<bool, Error> {
    let mut found = false;
    walk(dir, &mut |dir| {
        found =
            found || file::read(&dir.join("cgroup.procs"))?.is_some_and(|text| !text.is_empty());
        Ok(())
    })?;
    Ok(found)
}

/// Waits until `cgroup.events` of the v2 directory changes, at most for `time`; without that file it only sleeps.
pub(crate) struct Pause(Option<File>);

impl Pause {
    pub(crate) fn new(paths: &Paths) -> Pause {
        Pause(
            paths
                .unified
                .as_ref()
                .and_then(|dir| File::open(dir.join("cgroup.events")).ok()),
        )
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        // A file that cannot be watched costs only that the whole time is slept.
        if self
            .0
            .as_mut()
            .is_none_or(|events| poll_events(events, time).is_err())
        {
            std::thread::sleep(time);
        }
    }
}

fn poll_events(events: &mut File, time: Duration) -> io::Result<()> {
    // The kernel reports a change since the last read, so reading comes first (cgroup-v2.rst, "populated").
    let mut text = String::new();
    events.rewind()?;
    events.read_to_string(&mut text)?;
    if events_populated(&text) != Some(true) {
        return Err(io::ErrorKind::NotFound.into());
    }
    let time = Timespec {
        tv_sec: time.as_secs() as i64,
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    poll(&mut [PollFd::new(&*events, PollFlags::PRI)], Some(&time))?;
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

    fn procs(dir: &Path, text: &str) {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("cgroup.procs"), text).unwrap();
    }

    #[test]
    fn pids_of_the_whole_tree_are_sorted_and_listed_once() {
        let root = tempfile::tempdir().unwrap();
        procs(root.path(), "40\n7\n0\n40\n");
        procs(&root.path().join("a/b"), "12\n7\n");
        assert_eq!(listed(root.path()).unwrap(), [7, 12, 40]);
    }

    #[test]
    fn a_directory_that_is_gone_holds_nobody() {
        let root = tempfile::tempdir().unwrap();
        let gone = root.path().join("gone");
        assert!(listed(&gone).unwrap().is_empty());
        assert!(
            !populated(&Paths {
                unified: Some(gone),
                ..Paths::default()
            })
            .unwrap()
        );
    }

    #[test]
    fn a_process_that_cannot_be_seen_still_counts() {
        let root = tempfile::tempdir().unwrap();
        procs(root.path(), "0\n");
        let paths = Paths {
            unified: Some(root.path().to_owned()),
            ..Paths::default()
        };
        assert!(populated(&paths).unwrap());
        fs::write(root.path().join("cgroup.events"), "populated 0\nfrozen 0\n").unwrap();
        assert!(!populated(&paths).unwrap());
    }

    #[test]
    fn somebody_in_one_v1_directory_only_counts() {
        let root = tempfile::tempdir().unwrap();
        let (unified, memory) = (root.path().join("u"), root.path().join("m"));
        procs(&unified, "");
        fs::write(unified.join("cgroup.events"), "populated 0\n").unwrap();
        procs(&memory.join("below"), "5\n");
        let v1 = [(Controller::Memory, memory)].into();
        assert!(
            populated(&Paths {
                unified: Some(unified),
                v1,
                ..Paths::default()
            })
            .unwrap()
        );
    }
}
