//! Making directories, and handing down what a new one needs before anything can run in it.
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::{Controller, Error, Paths, file};

/// Controllers that a v2 cgroup should have; the first two are what limits cannot do without.
const WANTED: [&str; 5] = ["cpu", "memory", "pids", "cpuset", "io"];
const REQUIRED: [&str; 2] = ["cpu", "memory"];

/// How often a parent that vanishes between two calls (see `Host::sweep`) is made again.
const ATTEMPTS: usize = 8;

/// Makes all directories; when one fails, those that were made before are removed again.
pub(crate) fn create(paths: &Paths) -> Result<(), Error> {
    let mut made = Vec::new();
    let result = create_all(paths, &mut made);
    if result.is_err() {
        for dir in made.iter().rev() {
            // The error that is on its way says more than a directory that would not go.
            let _ = fs::remove_dir(dir);
        }
    }
    result
}

fn create_all(paths: &Paths, made: &mut Vec<PathBuf>) -> Result<(), Error> {
    for dir in paths
        .own()
        .chain(paths.shared.values().map(PathBuf::as_path))
    {
        make(dir, made)?;
    }
    if let Some(dir) = paths.unified.as_deref().filter(|_| paths.is_v2()) {
        enable_controllers(dir)?;
    }
    for dir in [
        paths.v1.get(&Controller::Cpuset),
        paths.shared.get(&Controller::Cpuset),
    ]
    .into_iter()
    .flatten()
    {
        inherit_cpuset(dir)?;
    }
    Ok(())
}

fn make(dir: &Path, made: &mut Vec<PathBuf>) -> Result<(), Error> {
    let mut attempt = 1;
    loop {
        match make_missing(dir, made) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS => {
                attempt += 1
            }
            result => return result.map_err(|source| Error::io("create", dir, source)),
        }
    }
}

fn make_missing(dir: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let missing: Vec<_> = dir.ancestors().take_while(|dir| !dir.exists()).collect();
    let existing = dir.ancestors().nth(missing.len()).unwrap_or(dir);
    // Where a hierarchy is no longer mounted, mkdir would make a plain directory that limits nothing.
    if !existing.join("cgroup.procs").exists() {
        let what = format!(
            "{} is no directory of a cgroup hierarchy",
            existing.display()
        );
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    }
    for dir in missing.into_iter().rev() {
        match fs::create_dir(dir) {
            Ok(()) => made.push(dir.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
        // Whatever the umask: those inside may read their own limits and counters.
        fs::set_permissions(dir, Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Enables in every ancestor, top down, the wanted controllers that are available there and not yet enabled.
fn enable_controllers(dir: &Path) -> Result<(), Error> {
    for ancestor in chain(dir, "cgroup.subtree_control")
        .into_iter()
        .rev()
        .filter(|ancestor| *ancestor != dir)
    {
        let path = ancestor.join("cgroup.subtree_control");
        let available = file::read(&ancestor.join("cgroup.controllers"))?.unwrap_or_default();
        let enabled = file::read(&path)?.unwrap_or_default();
        let missing = |name: &&str| has(&available, name) && !has(&enabled, name);
        for name in WANTED.into_iter().filter(missing) {
            let value = format!("+{name}");
            match file::try_write(&path, &value) {
                Err(source) if REQUIRED.contains(&name) => {
                    return Err(file::write_error(&path, &value, source));
                }
                // A host can do without the others; a limit that needs one is then refused by name.
                _ => {}
            }
        }
    }
    Ok(())
}

fn has(list: &str, name: &str) -> bool {
    list.split_whitespace().any(|found| found == name)
}

/// Copies processors and memory nodes down to every directory that has none: a new v1 cpuset is empty, and entering
/// one is ENOSPC (cpuset(7)).
fn inherit_cpuset(dir: &Path) -> Result<(), Error> {
    let chain = chain(dir, "cpuset.cpus");
    for pair in chain.windows(2).rev() {
        for name in ["cpuset.cpus", "cpuset.mems"] {
            let path = pair[0].join(name);
            let own = file::read(&path)?.unwrap_or_default();
            if own.trim().is_empty() {
                let above = file::read(&pair[1].join(name))?.unwrap_or_default();
                file::write(&path, above.trim())?;
            }
        }
    }
    Ok(())
}

/// The directory and its ancestors up to the root of the hierarchy, known by a file that all of them have.
fn chain<'a>(dir: &'a Path, file: &str) -> Vec<&'a Path> {
    dir.ancestors()
        .take_while(|dir| dir.join(file).exists())
        .collect()
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]
mod tests {
    use super::*;
    use crate::Cgroup;

    /// A directory with interface files, as the kernel would make it.
    fn cgroup(dir: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("cgroup.procs"), "").unwrap();
        for (name, text) in files {
            fs::write(dir.join(name), text).unwrap();
        }
    }

    fn unified(dir: PathBuf) -> Paths {
        Paths {
            unified: Some(dir),
            ..Paths::default()
        }
    }

    #[test]
    fn controllers_are_enabled_from_the_top_to_the_parent() {
        let root = tempfile::tempdir().unwrap();
        let slice = root.path().join("a.slice");
        let leaf = slice.join("b.scope");
        for dir in [root.path(), &slice, &leaf] {
            cgroup(
                dir,
                &[
                    ("cgroup.controllers", "cpu memory pids"),
                    ("cgroup.subtree_control", ""),
                ],
            );
        }
        Cgroup::create(&unified(leaf.clone())).unwrap();
        // Each write replaces the plain file's text, so the last one is seen; io and cpuset are not available.
        assert_eq!(
            fs::read_to_string(root.path().join("cgroup.subtree_control")).unwrap(),
            "+pids"
        );
        assert_eq!(
            fs::read_to_string(slice.join("cgroup.subtree_control")).unwrap(),
            "+pids"
        );
        assert_eq!(
            fs::read_to_string(leaf.join("cgroup.subtree_control")).unwrap(),
            ""
        );
    }

    #[test]
    fn what_is_enabled_already_is_not_written() {
        let root = tempfile::tempdir().unwrap();
        let leaf = root.path().join("b.scope");
        let all = "cpu memory pids cpuset io misc";
        cgroup(
            root.path(),
            &[("cgroup.controllers", all), ("cgroup.subtree_control", all)],
        );
        cgroup(
            &leaf,
            &[("cgroup.controllers", all), ("cgroup.subtree_control", "")],
        );
        Cgroup::create(&unified(leaf)).unwrap();
        assert_eq!(
            fs::read_to_string(root.path().join("cgroup.subtree_control")).unwrap(),
            all
        );
    }

    #[test]
    fn an_empty_cpuset_gets_what_the_nearest_full_ancestor_has() {
        let root = tempfile::tempdir().unwrap();
        let (parent, share) = (root.path().join("p"), root.path().join("p/share"));
        cgroup(
            root.path(),
            &[("cpuset.cpus", "0-3\n"), ("cpuset.mems", "0\n")],
        );
        cgroup(&parent, &[("cpuset.cpus", "1-2\n"), ("cpuset.mems", "\n")]);
        cgroup(&share, &[("cpuset.cpus", "\n"), ("cpuset.mems", "\n")]);
        let paths = Paths {
            shared: [(Controller::Cpuset, share.clone())].into(),
            ..Paths::default()
        };
        Cgroup::create(&paths).unwrap();
        assert_eq!(
            fs::read_to_string(share.join("cpuset.cpus")).unwrap(),
            "1-2"
        );
        assert_eq!(fs::read_to_string(share.join("cpuset.mems")).unwrap(), "0");
        assert_eq!(
            fs::read_to_string(parent.join("cpuset.cpus")).unwrap(),
            "1-2\n"
        );
    }

    #[test]
    fn nothing_is_made_where_no_hierarchy_is_mounted() {
        let root = tempfile::tempdir().unwrap();
        let error = Cgroup::create(&unified(root.path().join("a/b"))).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("create {}/a/b", root.path().display())
        );
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_was_made_before_a_failure_is_removed() {
        let (good, bad) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        cgroup(good.path(), &[]);
        let v1 = [(Controller::Memory, bad.path().join("x"))].into();
        let paths = Paths {
            unified: Some(good.path().join("x")),
            v1,
            ..Paths::default()
        };
        Cgroup::create(&paths).unwrap_err();
        assert!(!good.path().join("x").exists());
    }
}
