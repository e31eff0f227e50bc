//! The cgroup that the client names, in every hierarchy, and which directories of it are the driver's to make and remove.
use std::path::Path;

use cgroup::{Host, Paths};

use crate::api::StartError;
use crate::start::host as failed;
use crate::task_config::TaskConfig;

/// A task's cgroup.
#[derive(Debug)]
pub(crate) struct Given {
    /// All of it.
    pub(crate) paths: Paths,
    /// What the driver makes, and removes.
    pub(crate) made: Paths,
}

/// By `resources.cpuset_cgroup`, which on v1 is another cgroup's or a shared one: the others are called after allocation and task.
pub(crate) fn find(task: &TaskConfig) -> Result<Given, StartError> {
    let act = "find the task's cgroup";
    let cpuset = &task.resources.cpuset_cgroup;
    if cpuset.is_empty() {
        return Err(failed(
            act,
            "the client named none (resources.cpuset_cgroup is empty)",
        ));
    }
    let host = Host::detect().map_err(|error| failed(act, error))?;
    let paths = host
        .given(Path::new(cpuset), &scope(task))
        .map_err(|error| failed(act, error))?;
    let made = made(&paths, Path::exists);
    Ok(Given { paths, made })
}

/// `<alloc>.<task>`.
fn scope(task: &TaskConfig) -> String {
    let alloc = task
        .alloc_dir
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    format!("{alloc}.{}", task.name)
}

/// What the client makes by no convention, and what it has not made.
fn made(paths: &Paths, exists: impl Fn(&Path) -> bool) -> Paths {
    let added = paths.added();
    let missing = |path: &Path| !exists(path);
    let ours = |(controller, path): &(&_, &std::path::PathBuf)| {
        added.v1.contains_key(*controller) || missing(path)
    };
    let v1 = paths
        .v1
        .iter()
        .filter(ours)
        .map(|(controller, path)| (*controller, path.clone()));
    let unified = paths
        .unified
        .clone()
        .filter(|path| added.unified.is_some() || missing(path));
    Paths {
        unified,
        v1: v1.collect(),
        ..Paths::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cgroup::Controller;
    use std::path::PathBuf;

    fn paths(v1: &[(Controller, &str)]) -> Paths {
        let v1 = v1
            .iter()
            .map(|(controller, path)| (*controller, PathBuf::from(path)))
            .collect();
        Paths {
            unified: Some("/unified/x".into()),
            v1,
            ..Paths::default()
        }
    }

    #[test]
    fn a_directory_that_the_client_made_is_not_removed() {
        let paths = paths(&[
            (Controller::Memory, "/memory/x"),
            (Controller::Cpu, "/cpu,cpuacct/x"),
            (Controller::Cpuacct, "/cpu,cpuacct/x"),
            (Controller::Pids, "/pids/x"),
        ]);
        let made = made(&paths, |_| true);
        assert_eq!(made.v1.into_keys().collect::<Vec<_>>(), [Controller::Pids]);
        assert_eq!(made.unified, Some("/unified/x".into()));
    }

    #[test]
    fn what_nobody_made_is_the_drivers() {
        assert_eq!(made(&paths(&[]), |_| true), Paths::default());
        assert_eq!(
            made(&paths(&[]), |_| false).unified,
            Some("/unified/x".into())
        );
        assert_eq!(
            made(&paths(&[(Controller::Cpu, "/cpu/x")]), |_| false)
                .v1
                .len(),
            1
        );
    }

    #[test]
    fn the_scope_is_named_after_allocation_and_task() {
        let task = TaskConfig {
            name: "web".into(),
            alloc_dir: "/data/alloc/1234".into(),
            ..TaskConfig::default()
        };
        assert_eq!(scope(&task), "1234.web");
    }

    #[test]
    fn no_cgroup_is_an_error() {
        assert!(find(&TaskConfig::default()).is_err());
    }
}
