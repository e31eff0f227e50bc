//! What runs and stands on the host, so that a test can say that nothing was left.
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::run::patience;

/// What every name of ours begins with.
const PREFIX: &str = "encamp";

/// Where encamp keeps anything, with how deep it is looked at.
const PLACES: &[&str] = &["/run/encamp", "/var/lib/encamp"];

/// Cgroups that stay: parents of all tasks, made once.
const PARENTS: &[&str] = &[
    "encamp",
    "encamp.slice",
    "share",
    "share.slice",
    "reserve",
    "reserve.slice",
];

/// A picture of the host, as far as encamp could change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostState {
    /// By name of what is pictured; each a sorted list of lines.
    parts: Vec<(&'static str, BTreeSet<String>)>,
}

impl HostState {
    /// Takes the picture.
    #[must_use]
    pub fn take() -> HostState {
        HostState {
            parts: vec![
                ("processes", processes()),
                ("mounts", mounts()),
                ("cgroups", cgroups()),
                ("files", files()),
                ("descriptors of this process", descriptors()),
            ],
        }
    }

    /// Checks that the host is as it was. The kernel ends a cgroup or a mount some time after its last process, so this waits.
    ///
    /// # Panics
    /// When it does not become so, with what was expected and what was found.
    #[track_caller]
    pub fn assert_restored(&self, usual: Duration) {
        let deadline = Instant::now() + patience(usual);
        loop {
            let now = HostState::take();
            let difference = self.difference(&now);
            if difference.is_empty() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "the host is not as it was:\n{difference}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What differs, as blocks; empty when nothing does.
    #[must_use]
    pub fn difference(&self, now: &HostState) -> String {
        let mut text = String::new();
        for ((name, before), (_, after)) in self.parts.iter().zip(&now.parts) {
            if before != after {
                let _ = writeln!(
                    text,
                    "{name}, expected:\n{}{name}, got:\n{}",
                    only(before, after),
                    only(after, before)
                );
            }
        }
        text
    }
}

/// The lines of one set that the other lacks.
fn only(these: &BTreeSet<String>, others: &BTreeSet<String>) -> String {
    let lines: Vec<_> = these
        .difference(others)
        .map(|line| format!("    {line}\n"))
        .collect();
    if lines.is_empty() {
        "    (nothing more)\n".to_owned()
    } else {
        lines.concat()
    }
}

/// Processes whose name or program is ours, zombies too.
fn processes() -> BTreeSet<String> {
    pids_named(PREFIX)
        .into_iter()
        .map(|(pid, name)| format!("{pid} {name}"))
        .collect()
}

/// Pids and names of the processes whose name or `argv[0]` begins with `prefix`, in the order of their pids. This process is left out,
/// and so are the dead ones that the host's init has adopted: it reaps in its own time.
#[must_use]
pub fn pids_named(prefix: &str) -> Vec<(i32, String)> {
    let entries = std::fs::read_dir("/proc").expect("a procfs");
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let own = i32::try_from(std::process::id()).expect("a pid is positive");
    let mut found: Vec<_> = pids
        .filter(|pid| *pid != own)
        .filter_map(|pid| Some((pid, name_of(pid, prefix)?)))
        .collect();
    found.sort();
    found
}

fn name_of(pid: i32, prefix: &str) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    if stat.rsplit_once(") ")?.1.starts_with("Z 1 ") {
        return None;
    }
    let command = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    let program = Path::new(line.split(' ').next()?)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    (command.starts_with(prefix) || program.starts_with(prefix))
        .then(|| format!("{} [{}]", line.trim_end(), command.trim_end()))
}

/// Mount points with type and source; the numbers of mountinfo(5) are left out, since they may be given again.
fn mounts() -> BTreeSet<String> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").expect("a procfs");
    text.lines()
        .map(|line| line.split(' ').skip(3).collect::<Vec<_>>().join(" "))
        .collect()
}

/// Cgroups below ours in every hierarchy.
fn cgroups() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let hierarchies = std::fs::read_dir("/sys/fs/cgroup")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    for hierarchy in hierarchies.chain([PathBuf::from("/sys/fs/cgroup")]) {
        for ours in [PREFIX, "encamp.slice"] {
            tree(&hierarchy.join(ours), &mut found, &|path| path.is_dir());
        }
    }
    found.retain(|path| {
        !PARENTS
            .iter()
            .any(|parent| path.ends_with(&format!("/{parent}")))
    });
    found
}

fn files() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    PLACES
        .iter()
        .for_each(|place| tree(Path::new(place), &mut found, &|_| true));
    found.retain(|path| !PLACES.contains(&path.as_str()));
    for entry in std::fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(PREFIX) {
            found.insert(entry.path().display().to_string());
        }
    }
    found
}

/// Adds a path and everything below it.
fn tree(path: &Path, found: &mut BTreeSet<String>, wanted: &dyn Fn(&Path) -> bool) {
    let Ok(metadata) = path.symlink_metadata() else {
        return;
    };
    if !wanted(path) {
        return;
    }
    found.insert(path.display().to_string());
    if metadata.is_dir() {
        std::fs::read_dir(path)
            .into_iter()
            .flatten()
            .flatten()
            .for_each(|entry| tree(&entry.path(), found, wanted));
    }
}

/// Kinds of open descriptors with their count: numbers may be given again, pipes have names of their own.
fn descriptors() -> BTreeSet<String> {
    let links = std::fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten();
    links
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .map(|target| target.display().to_string())
        .filter(|target| !target.starts_with("/proc/"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::{HostState, pids_named};

    #[test]
    fn a_process_a_file_and_a_descriptor_that_are_left_are_seen() {
        let before = HostState::take();
        let name = format!("encamp-left-{}", std::process::id());
        let directory = std::env::temp_dir().join(&name);
        std::fs::create_dir(&directory).unwrap();
        let file = std::fs::File::create(directory.join("x")).unwrap();
        let mut child = Command::new("/bin/sleep")
            .arg0(&name)
            .arg("60")
            .spawn()
            .unwrap();
        // spawn returns while the new program has no arguments yet.
        let deadline = Instant::now() + Duration::from_secs(10);
        while pids_named(&name).is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        let difference = before.difference(&HostState::take());
        child.kill().unwrap();
        child.wait().unwrap();
        drop(file);
        std::fs::remove_dir_all(&directory).unwrap();
        for part in [
            "processes, got",
            "files, got",
            "descriptors of this process, got",
        ] {
            assert!(difference.contains(part), "{part} is not in:\n{difference}");
        }
        assert_eq!(difference.matches(&name).count(), 3, "{difference}");
    }

    #[test]
    fn a_difference_names_what_is_new_and_what_is_gone() {
        let state = |lines: &[&str]| HostState {
            parts: vec![(
                "things",
                lines.iter().map(|&line| line.to_owned()).collect(),
            )],
        };
        let difference = state(&["a", "b"]).difference(&state(&["b", "c"]));
        assert_eq!(
            difference,
            "things, expected:\n    a\nthings, got:\n    c\n\n"
        );
        assert_eq!(state(&["a"]).difference(&state(&["a"])), "");
    }
}
