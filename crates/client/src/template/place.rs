//! Where a path of a template leads: below the task's directory or into the one that its tasks share, nowhere else.
use std::path::Path;

use crate::interpolate;

/// A path below one of the two directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) root: Root,
    /// The names on the way; none is empty, `.` or `..`.
    pub(crate) below: Vec<String>,
}

/// A directory that templates reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// T.
    Task,
    /// A/alloc.
    Shared,
}

/// What below T is not the task's: root works there.
const OURS: [&str; 2] = ["private", ".encamp"];
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

/// Reads a path as `source` and `destination` are written: relative to T, and so is one that begins with a slash.
pub(crate) fn of_argument<'v>(
    written: &str,
    value: impl Fn(&str) -> Option<&'v str>,
) -> Result<Place, Escape> {
    let path = interpolate::replace(written, |name| match name {
        "NOMAD_ALLOC_DIR" => Some("/../alloc"),
        "NOMAD_TASK_DIR" => Some("/local"),
        "NOMAD_SECRETS_DIR" => Some("/secrets"),
        name => value(name),
    });
    resolve(&path)
}

/// Reads a path as the task itself would write it; `seen` is where the task sees T, if not at its root.
pub(crate) fn of_task(path: &str, seen: Option<&Path>) -> Result<Place, Escape> {
    match seen {
        Some(seen) if path.starts_with('/') => match Path::new(path).strip_prefix(seen) {
            Ok(below) => resolve(&below.to_string_lossy()),
            Err(_) => Err(Escape),
        },
        _ => resolve(path),
    }
}

/// A path that leads elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Escape;

fn resolve(path: &str) -> Result<Place, Escape> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(place: Result<Place, Escape>) -> String {
        match place {
            Ok(Place { root, below }) => format!("{root:?} {}", below.join("/")),
            Err(Escape) => "escapes".to_owned(),
        }
    }

    fn argument(path: &str) -> String {
        shown(of_argument(path, |name| match name {
            "OUT" => Some("../../etc"),
            "NAME" => Some("web"),
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
            ("local/${nosuch}", "Task local/${nosuch}"),
            (".", "Task "),
        ] {
            assert_eq!(argument(path), expected, "{path}");
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
            "a\0b",
        ] {
            assert_eq!(argument(path), "escapes", "{path}");
        }
    }

    #[test]
    fn a_task_names_files_as_it_sees_them() {
        let seen = Path::new("/var/lib/encamp/alloc_mounts/id-t");
        for (path, expected) in [
            ("/var/lib/encamp/alloc_mounts/id-t/local/x", "Task local/x"),
            ("/var/lib/encamp/alloc_mounts/id-t/alloc/x", "Shared x"),
            ("local/x", "Task local/x"),
            ("/etc/shadow", "escapes"),
            ("/var/lib/encamp/alloc_mounts/id-t/../../x", "escapes"),
        ] {
            assert_eq!(shown(of_task(path, Some(seen))), expected, "{path}");
        }
        assert_eq!(shown(of_task("/secrets/x", None)), "Task secrets/x");
        assert_eq!(shown(of_task("/alloc/x", None)), "Shared x");
    }
}
