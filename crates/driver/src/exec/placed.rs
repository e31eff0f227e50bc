//! What artifacts and templates put into a task directory beside Nomad's own directories: it shows at the same place inside.
//!
//! A directory is bound, so that what is rendered again later shows too; so is a file in a directory that the host has as well,
//! but one that is replaced then shows only after a restart of the task.
use std::path::{Path, PathBuf};

use super::Operator;
use crate::api::FsIsolation;

/// What Nomad's client, the built-in driver and this one make there; and mount points of the root.
const OWN: [&str; 11] = [
    "alloc",
    "local",
    "secrets",
    "private",
    "tmp",
    "dev",
    "proc",
    "sys",
    "executor.out",
    "resolv.conf",
    super::root::SCRATCH,
];

/// The built-in driver's log: the directory was a chroot that Nomad's client filled with links to the host's files.
const BUILT_IN: &str = "executor.out";

/// More than anybody places; a filled chroot holds hundreds of thousands.
const MOST: usize = 256;

/// What lies in a task directory: paths relative to it, parents first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Directories of the root that the client filled from the host, with links to the host's own files: what is written there must not
    /// reach them.
    pub(crate) filled: Vec<PathBuf>,
    /// What somebody put there for the task.
    pub(crate) bound: Vec<PathBuf>,
}

pub(crate) fn survey(task_dir: &Path, operator: &Operator) -> Placed {
    match operator.fs_isolation {
        FsIsolation::Chroot => chroot(task_dir),
        _ => Placed {
            filled: Vec::new(),
            bound: placed(task_dir, operator),
        },
    }
}

/// What has the name of a directory of the host's is taken for its copy: the client's own list is not known here.
fn chroot(task_dir: &Path) -> Placed {
    let entries = std::fs::read_dir(task_dir).into_iter().flatten().flatten();
    let names = entries.map(|entry| PathBuf::from(entry.file_name()));
    let mut names: Vec<_> = names
        .filter(|name| !OWN.iter().any(|own| name == Path::new(own)))
        .collect();
    names.sort();
    let (filled, bound) = names
        .into_iter()
        .partition(|name| Path::new("/").join(name).is_dir());
    Placed { filled, bound }
}

fn placed(task_dir: &Path, operator: &Operator) -> Vec<PathBuf> {
    let whole = walk(task_dir, operator, true);
    if task_dir.join(BUILT_IN).exists() || whole.len() > MOST {
        // What `chroot_env` provides may be a left-over then; whatever else there is, somebody placed.
        return walk(task_dir, operator, false);
    }
    whole
}

fn walk(task_dir: &Path, operator: &Operator, shared: bool) -> Vec<PathBuf> {
    let mut walk = Walk {
        task_dir,
        operator,
        shared,
        found: Vec::new(),
    };
    walk.directory(Path::new(""));
    walk.found.sort();
    walk.found
}

struct Walk<'a> {
    task_dir: &'a Path,
    operator: &'a Operator,
    /// Also into what `chroot_env` provides.
    shared: bool,
    found: Vec<PathBuf>,
}

impl Walk<'_> {
    fn directory(&mut self, below: &Path) {
        let entries = std::fs::read_dir(self.task_dir.join(below))
            .into_iter()
            .flatten()
            .flatten();
        for entry in entries {
            let path = below.join(entry.file_name());
            let own = below.as_os_str().is_empty() && OWN.iter().any(|own| path == Path::new(own));
            let wanted = self.shared || !provided(self.operator, &path);
            if !own && wanted && self.found.len() <= MOST {
                self.entry(path, entry.file_type());
            }
        }
    }

    /// Links are left out: what they lead to on the host is not what they lead to inside.
    fn entry(&mut self, path: PathBuf, kind: std::io::Result<std::fs::FileType>) {
        match kind {
            Ok(kind) if kind.is_dir() && self.shared(&path) => self.directory(&path),
            Ok(kind) if kind.is_dir() || kind.is_file() => self.found.push(path),
            _ => {}
        }
    }

    /// Whether the root has this directory too.
    fn shared(&self, path: &Path) -> bool {
        let inside = Path::new("/").join(path);
        self.operator.chroot_env.iter().any(|(source, target)| {
            let layered = inside
                .strip_prefix(target)
                .is_ok_and(|rest| Path::new(source).join(rest).is_dir());
            layered || Path::new(target).starts_with(&inside)
        })
    }
}

fn provided(operator: &Operator, path: &Path) -> bool {
    let inside = Path::new("/").join(path);
    operator
        .chroot_env
        .values()
        .any(|target| inside.starts_with(target) || Path::new(target).starts_with(&inside))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::capabilities::Supported;
    use crate::options::{Values, decode, tables::EXEC_OPERATOR};
    use std::fs;

    fn found(name: &str, files: &[&str]) -> Vec<String> {
        let root =
            std::env::temp_dir().join(format!("encamp-placed-{}-{name}", std::process::id()));
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = survey(&root, &operator("image"));
        fs::remove_dir_all(&root).unwrap();
        assert!(found.filled.is_empty());
        shown(&found.bound)
    }

    fn shown(paths: &[PathBuf]) -> Vec<String> {
        paths
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    }

    fn operator(isolation: &str) -> Operator {
        let values = Values::from([("fs_isolation".to_owned(), isolation.into())]);
        let values = decode(EXEC_OPERATOR, &values).unwrap();
        Operator::read(&values, Supported::up_to(40)).unwrap()
    }

    #[test]
    fn of_a_chroot_what_the_client_filled_is_told_from_what_was_placed() {
        let root = std::env::temp_dir().join(format!("encamp-filled-{}", std::process::id()));
        for directory in ["alloc", "local", "usr/bin", "etc", "encamp-conf/deep"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        let found = survey(&root, &operator("chroot"));
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(shown(&found.filled), ["etc", "usr"]);
        assert_eq!(shown(&found.bound), ["encamp-conf"]);
    }

    #[test]
    fn a_directory_of_its_own_is_bound_whole_and_a_shared_one_file_by_file() {
        let files = [
            "local/a",
            "tmp/b",
            "conf/deep/c",
            "usr/local/bin/x",
            "usr/no-such-directory/y",
            "run/d/e",
            "top",
            "secrets/s",
        ];
        assert_eq!(
            found("shared", &files),
            [
                "conf",
                "run/d",
                "top",
                "usr/local/bin/x",
                "usr/no-such-directory"
            ]
        );
    }

    #[test]
    fn a_chroot_of_the_built_in_driver_is_no_placing() {
        assert_eq!(
            found(
                "filled",
                &["executor.out", "usr/bin/env", "etc/passwd", "conf/c"]
            ),
            ["conf"]
        );
        let many: Vec<String> = (0..300).map(|number| format!("usr/bin/{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(found("many", &many).is_empty());
    }
}
