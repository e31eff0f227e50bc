//! What artifacts and templates put into a task directory beside Nomad's own directories.
use std::path::Path;

use super::Operator;

/// What Nomad's client, the built-in driver and this one make there; and mount points of the root.
const OWN: [&str; 9] = [
    "alloc",
    "local",
    "secrets",
    "private",
    "tmp",
    "dev",
    "proc",
    "sys",
    super::root::SCRATCH,
];

/// Names of directories that nothing else provides inside, sorted. A directory whose name `chroot_env` provides may also be the
/// left-over of a chroot that Nomad's client built for the built-in driver, so it is not taken.
pub(crate) fn directories(task_dir: &Path, operator: &Operator) -> Vec<String> {
    let provided = |name: &str| {
        operator
            .chroot_env
            .values()
            .any(|target| Path::new(target).starts_with(Path::new("/").join(name)))
    };
    let entries = std::fs::read_dir(task_dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !OWN.contains(&name.as_str()) && !provided(name))
        .collect();
    names.sort();
    names
}
