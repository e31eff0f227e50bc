//! What artifacts and templates put into a task directory beside Nomad's own directories: it shows at the same place inside.
//!
//! A directory is bound, so that what is rendered again later shows too; so is a file in a directory that the host has as well,
//! but one that is replaced then shows only after a restart of the task.
//!
//! Nomad's client fills a chroot with hard links to the host's files, by a list and under names that are not known here. So what has
//! another name somewhere, or may have, is not bound: a layer is laid over it.
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Operator;
use crate::api::{FsIsolation, StartError};

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
    /// What may be the host's own by another name: what is written there must not reach it.
    pub(crate) filled: Vec<PathBuf>,
    /// What somebody put there for the task.
    pub(crate) bound: Vec<PathBuf>,
}

/// Looks at a task directory.
///
/// # Errors
/// A link stands where one of the task's own directories should: bound, it would show the task what it leads to on the host.
pub(crate) fn survey(task_dir: &Path, operator: &Operator) -> Result<Placed, StartError> {
    for own in super::root::BOUND {
        let path = task_dir.join(own);
        if path.is_symlink() {
            return Err(StartError::Host {
                act: format!("bind {}", path.display()),
                source: "it is a symbolic link, and was a directory; remove it".into(),
            });
        }
    }
    let paths = match operator.fs_isolation {
        FsIsolation::Chroot => chroot(task_dir),
        _ => placed(task_dir, operator),
    };
    let (bound, filled) = paths
        .into_iter()
        .partition(|path| Alone::default().tree(&task_dir.join(path)));
    Ok(Placed { filled, bound })
}

/// All of it is the task's. A link stays one: the task directory is the root that it was made for.
fn chroot(task_dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(task_dir).into_iter().flatten().flatten();
    let shown = entries.filter(|entry| {
        let own = OWN.iter().any(|own| entry.file_name() == *own);
        let kind = entry.file_type();
        !own && kind.is_ok_and(|kind| kind.is_dir() || kind.is_file() || kind.is_symlink())
    });
    let names = shown.map(|entry| PathBuf::from(entry.file_name()));
    let mut names: Vec<_> = names.take(MOST).collect();
    names.sort();
    names
}

/// Whether nothing in a tree has a name elsewhere.
#[derive(Debug, Default)]
struct Alone {
    seen: usize,
}

impl Alone {
    /// A link is not followed, and counts as somebody else's at the top only: below a directory it is bound with it.
    fn tree(&mut self, top: &Path) -> bool {
        let found = std::fs::symlink_metadata(top);
        found.is_ok_and(|found| !found.is_symlink() && self.entry(top, &found))
    }

    fn entry(&mut self, path: &Path, found: &Metadata) -> bool {
        self.seen += 1;
        if self.seen > MOST {
            return false;
        }
        if found.is_dir() {
            return self.directory(path);
        }
        found.is_symlink() || found.nlink() == 1
    }

    fn directory(&mut self, path: &Path) -> bool {
        let Ok(mut entries) = std::fs::read_dir(path) else {
            return false;
        };
        entries.all(|entry| {
            let found = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)));
            found.is_ok_and(|(path, found)| self.entry(&path, &found))
        })
    }
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
        let found = survey(&root, &operator("image")).unwrap();
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

    /// A task directory, and beside it what stands for the host's files.
    struct Filled(PathBuf);

    impl Filled {
        fn new(name: &str) -> Filled {
            let top =
                std::env::temp_dir().join(format!("encamp-filled-{}-{name}", std::process::id()));
            fs::create_dir_all(top.join("task")).unwrap();
            fs::write(top.join("hosts-own"), "").unwrap();
            Filled(top)
        }

        fn task(&self) -> PathBuf {
            self.0.join("task")
        }

        fn path(&self, name: &str) -> PathBuf {
            let path = self.task().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        }

        fn write(&self, name: &str) {
            fs::write(self.path(name), "").unwrap();
        }

        /// As Nomad's client does.
        fn link(&self, name: &str) {
            fs::hard_link(self.0.join("hosts-own"), self.path(name)).unwrap();
        }

        fn symlink(&self, name: &str, to: &str) {
            std::os::unix::fs::symlink(to, self.path(name)).unwrap();
        }

        /// What is filled, and what is bound.
        fn survey(&self, isolation: &str) -> [Vec<String>; 2] {
            let found = survey(&self.task(), &operator(isolation)).unwrap();
            [shown(&found.filled), shown(&found.bound)]
        }
    }

    impl Drop for Filled {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_has_a_name_on_the_host_is_never_bound_whatever_it_is_called() {
        let filled = Filled::new("names");
        for name in ["etc/passwd", "java/lib/deep/rt.jar", "motd"] {
            filled.link(name);
        }
        for name in ["alloc/a", "local/b", "conf/deep/c", "top"] {
            filled.write(name);
        }
        filled.symlink("conf/link", "/etc/shadow");
        for isolation in ["chroot", "image"] {
            let [mut found, bound] = filled.survey(isolation);
            // Under `image` the host's etc has a layer already, so its files are told apart.
            found.retain(|name| !name.starts_with("etc"));
            assert_eq!(found, ["java", "motd"], "{isolation}");
            assert_eq!(bound, ["conf", "top"], "{isolation}");
        }
        assert_eq!(filled.survey("chroot")[0], ["etc", "java", "motd"]);
        assert_eq!(filled.survey("image")[0], ["etc/passwd", "java", "motd"]);
    }

    #[test]
    fn what_is_too_large_to_look_at_counts_as_the_hosts() {
        let filled = Filled::new("large");
        for number in 0..300 {
            filled.write(&format!("java/{number}"));
        }
        assert_eq!(filled.survey("chroot"), [vec!["java".to_owned()], vec![]]);
        assert_eq!(filled.survey("image"), [vec!["java".to_owned()], vec![]]);
    }

    #[test]
    fn links_and_what_is_no_file_at_the_top_of_a_chroot_are_never_bound() {
        let filled = Filled::new("links");
        filled.symlink("x", "/etc");
        filled.symlink("y", "/etc/passwd");
        let _socket = std::os::unix::net::UnixListener::bind(filled.path("socket")).unwrap();
        assert_eq!(
            filled.survey("chroot"),
            [vec!["x".to_owned(), "y".to_owned()], vec![]]
        );
        assert_eq!(filled.survey("image"), [vec![], Vec::<String>::new()]);
    }

    #[test]
    fn of_a_chroot_no_more_is_shown_than_anybody_places() {
        let filled = Filled::new("many");
        for number in 0..300 {
            filled.write(&number.to_string());
        }
        let [found, bound] = filled.survey("chroot");
        assert_eq!((found.len(), bound.len()), (0, MOST));
    }

    #[test]
    fn a_link_in_place_of_a_directory_of_the_tasks_own_is_refused() {
        for name in ["local", "secrets", "tmp"] {
            let filled = Filled::new(name);
            filled.symlink(name, "/etc");
            let error = survey(&filled.task(), &operator("image")).unwrap_err();
            assert!(error.to_string().ends_with(name), "{error}");
        }
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
