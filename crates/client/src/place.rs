//! Where a path of a template or an artifact leads: below the task's directory or into the one that its tasks share, nowhere else.
use std::path::Path;

use crate::environment::Directories;
use crate::interpolate;

/// A path below one of the two directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) root: Root,
    /// The names on the way; none is empty, `.` or `..`.
    pub(crate) below: Vec<String>,
}

/// A directory that they reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// T.
    Task,
    /// A/alloc.
    Shared,
}

/// What below T is not the task's: root works there.
pub(crate) const OURS: [&str; 2] = ["private", ".encamp"];
/// The longest path that is looked at.
const MAX_BYTES: usize = 4096;

impl Place {
    /// Whether a task sees what is put there by a mount of the directory around it, which shows new files too.
    pub(crate) fn is_mounted_whole(&self) -> bool {
        match self.root {
            Root::Shared => true,
            Root::Task => {
                let first = self.below.first().map(String::as_str);
                matches!(first, Some("local" | "secrets" | "tmp"))
            }
        }
    }
}

/// How a task names what it reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Views {
    /// The task's name, which is that of T.
    pub(crate) task: String,
    /// As the task sees them, whatever the job's own environment says.
    pub(crate) directories: Directories,
}

impl Views {
    /// Reads a path as `source` and `destination` are written: relative to T, and so is one that begins with a slash.
    pub(crate) fn argument<'v>(
        &self,
        written: &str,
        value: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<Place, Escape> {
        let path = interpolate::replace(written, |name| match name {
            "NOMAD_ALLOC_DIR" => Some("/../alloc"),
            "NOMAD_TASK_DIR" => Some("/local"),
            "NOMAD_SECRETS_DIR" => Some("/secrets"),
            name => value(name),
        });
        // Another variable may hold a path as the task sees it.
        match self.seen(&path) {
            Some(below) => self.resolve(&below),
            None => self.resolve(&path),
        }
    }

    /// Reads a path as the task itself would write it.
    pub(crate) fn own(&self, path: &str) -> Result<Place, Escape> {
        match self.seen(path) {
            Some(below) => self.resolve(&below),
            None if path.starts_with('/') && self.directories.root().is_some() => Err(Escape),
            None => self.resolve(path),
        }
    }

    /// From T on, what a task that does not see T at its root names by its path.
    fn seen(&self, path: &str) -> Option<String> {
        let (path, root) = (Path::new(path), self.directories.root()?);
        let below = match path.strip_prefix(&self.directories.alloc) {
            Ok(rest) => Path::new("../alloc").join(rest),
            Err(_) => path.strip_prefix(root).ok()?.to_owned(),
        };
        Some(below.to_string_lossy().into_owned())
    }

    fn resolve(&self, path: &str) -> Result<Place, Escape> {
        if path.len() > MAX_BYTES || path.contains('\0') {
            return Err(Escape);
        }
        // A holds T, here named by a slash, which no entry can be.
        let mut names = vec!["/"];
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    names.pop().ok_or(Escape)?;
                }
                name if names.is_empty() && name == self.task => names.push("/"),
                name => names.push(name),
            }
        }
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        match names.as_slice() {
            ["/", "alloc", below @ ..] | ["alloc", below @ ..] => Ok(Place {
                root: Root::Shared,
                below: owned(below),
            }),
            ["/", first, ..] if OURS.contains(first) => Err(Escape),
            ["/", below @ ..] => Ok(Place {
                root: Root::Task,
                below: owned(below),
            }),
            _ => Err(Escape),
        }
    }
}

/// A path that leads elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Escape;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(place: Result<Place, Escape>) -> String {
        match place {
            Ok(Place { root, below }) => format!("{root:?} {}", below.join("/")),
            Err(Escape) => "escapes".to_owned(),
        }
    }

    /// At its root, as the tasks of `exec` do.
    fn at_root() -> Views {
        Views {
            task: "web".to_owned(),
            directories: Directories::at("/alloc", "/local", "/secrets"),
        }
    }

    /// On the host's tree, as those of `exec2` do.
    fn at_mounts() -> Views {
        let seen = Path::new("/var/lib/encamp/alloc_mounts/id-t");
        Views {
            task: "web".to_owned(),
            directories: Directories::below(seen, seen),
        }
    }

    fn argument(views: &Views, path: &str) -> String {
        shown(views.argument(path, |name| match name {
            "OUT" => Some("../../etc"),
            "NAME" => Some("web"),
            "NOMAD_TASK_DIR" => Some("/etc"),
            "SEEN" => Some("/var/lib/encamp/alloc_mounts/id-t"),
            _ => None,
        }))
    }

    #[test]
    fn arguments_lead_below_the_tasks_directories() {
        for (path, expected) in [
            ("local/x", "Task local/x"),
            ("/local/x", "Task local/x"),
            ("${NOMAD_TASK_DIR}/x", "Task local/x"),
            ("${NOMAD_SECRETS_DIR}/./x", "Task secrets/x"),
            ("${NOMAD_ALLOC_DIR}/x", "Shared x"),
            ("alloc/data/x", "Shared data/x"),
            ("../alloc/x", "Shared x"),
            ("local/../usr/local/bin/x", "Task usr/local/bin/x"),
            ("local/${NAME}.conf", "Task local/web.conf"),
            ("/etc/passwd", "Task etc/passwd"),
            ("/allocated", "Task allocated"),
            ("../web/local/x", "Task local/x"),
            ("/alloc/../x", "Task x"),
            ("local/${nosuch}", "Task local/${nosuch}"),
            (".", "Task "),
        ] {
            for views in [at_root(), at_mounts()] {
                assert_eq!(argument(&views, path), expected, "{path}");
            }
        }
    }

    #[test]
    fn an_argument_may_be_what_the_task_sees() {
        for (path, expected) in [
            ("${SEEN}/local/x", "Task local/x"),
            ("${SEEN}/alloc/x", "Shared x"),
            (
                "/var/lib/encamp/alloc_mounts/id-t/secrets/x",
                "Task secrets/x",
            ),
            (
                "/var/lib/encamp/alloc_mounts/other",
                "Task var/lib/encamp/alloc_mounts/other",
            ),
            ("${SEEN}/alloc/../other/x", "escapes"),
            ("${SEEN}/private/x", "escapes"),
        ] {
            assert_eq!(argument(&at_mounts(), path), expected, "{path}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for path in [
            "../x",
            "../../etc/x",
            "local/../../x",
            "${OUT}/x",
            "local/${OUT}/../x",
            "../alloc/../other/local/x",
            "private/x",
            ".encamp/upper/x",
            "local/../.encamp",
            "../web/private",
            "..",
            "a\0b",
        ] {
            for views in [at_root(), at_mounts()] {
                assert_eq!(argument(&views, path), "escapes", "{path}");
            }
        }
    }

    #[test]
    fn a_task_names_files_as_it_sees_them() {
        for (path, expected) in [
            ("/var/lib/encamp/alloc_mounts/id-t/local/x", "Task local/x"),
            ("/var/lib/encamp/alloc_mounts/id-t/alloc/x", "Shared x"),
            ("local/x", "Task local/x"),
            ("/etc/shadow", "escapes"),
            ("/var/lib/encamp/alloc_mounts/id-t/../../x", "escapes"),
        ] {
            assert_eq!(shown(at_mounts().own(path)), expected, "{path}");
        }
        assert_eq!(shown(at_root().own("/secrets/x")), "Task secrets/x");
        assert_eq!(shown(at_root().own("/alloc/x")), "Shared x");
    }
}
