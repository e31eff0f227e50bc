//! What both drivers lower alike: volumes, network, output, and what no task may see.
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use sandbox::spec::{Input, Missing, Mount, MountFlags, Output, Propagation, Source, Stdio};

use crate::agent_env::AgentEnv;
use crate::api::StartError;
use crate::exec::placed::Placed;
use crate::resolver::Resolver;
use crate::task_config::{self, Stdin, TaskConfig};
use crate::users::User;

/// Everything that a description is made of, besides the operator's configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'a> {
    /// The task.
    pub(crate) task: &'a TaskConfig,
    /// Its user, looked up.
    pub(crate) user: &'a User,
    /// Directories that no task may see.
    pub(crate) hidden: &'a [PathBuf],
    /// What lies in the task directory beside Nomad's own directories, relative to it: artifacts and templates put it there.
    pub(crate) placed: &'a Placed,
    /// How the host resolves names.
    pub(crate) resolver: &'a Resolver,
    /// `HOME`, `USER` and `TMPDIR` of this process, which Nomad's client may have passed on.
    pub(crate) inherited: &'a BTreeMap<String, String>,
    /// What of the agent's environment the task gets.
    pub(crate) agent: AgentEnv<'a>,
}

/// Where a task lies on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directories {
    /// The allocation's shared directory.
    pub(crate) alloc: PathBuf,
    /// The task directory.
    pub(crate) task: PathBuf,
}

/// The directories of a task whose name and allocation directory are what they should be: the name becomes part of host paths.
pub(crate) fn directories(task: &TaskConfig) -> Result<Directories, StartError> {
    let plain = matches!(Path::new(&task.name).components().collect::<Vec<_>>().as_slice(), [Component::Normal(name)] if **name == *task.name);
    if !plain || task.name == "alloc" || task.name.contains('\0') {
        return Err(value(
            "name",
            format!(
                "task name {:?} cannot be the name of a directory beside alloc",
                task.name
            ),
        ));
    }
    if !task.alloc_dir.is_absolute() {
        return Err(value(
            "alloc_dir",
            format!("alloc dir must be absolute but got {:?}", task.alloc_dir),
        ));
    }
    Ok(Directories {
        alloc: task.alloc_dir.join("alloc"),
        task: task.alloc_dir.join(&task.name),
    })
}

/// A mistake in the value of an option.
pub(crate) fn value(option: &'static str, message: impl Into<String>) -> StartError {
    StartError::Value {
        option,
        message: message.into(),
    }
}

/// An absolute path without `.` and `..`, which end at the root.
pub(crate) fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => cleaned.push(name),
            Component::ParentDir => drop(cleaned.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    cleaned
}

/// A bind mount that the host's devices cannot be reached through.
pub(crate) fn bind(path: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Mount {
    Mount {
        target: target.into(),
        source: Source::Bind {
            path: path.into(),
            recursive: false,
        },
        flags: MountFlags {
            nodev: true,
            ..MountFlags::default()
        },
        missing: Missing::Refuse,
    }
}

/// The volumes in the job's order, each followed by covers for what no task may see below it.
pub(crate) fn volumes(given: Given<'_>) -> Result<Vec<Mount>, StartError> {
    let mut mounts = Vec::new();
    let hidden: Vec<_> = given.hidden.iter().map(|hidden| real(hidden)).collect();
    for volume in &given.task.mounts {
        let mount = volume_mount(volume)?;
        let source = real(&volume.host_path);
        if let Some(hidden) = hidden.iter().find(|hidden| source.starts_with(hidden)) {
            let message = format!(
                "the volume at {:?} lies in {}, which no task may see",
                volume.task_path,
                hidden.display()
            );
            return Err(value("volume_mount", message));
        }
        let covers = covers(&hidden, &source, &mount.target);
        mounts.push(mount);
        mounts.extend(covers);
    }
    Ok(mounts)
}

/// Without links: what is hidden is told by where it is, not by how it is called. What does not exist is called as it is.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| clean(path))
}

fn volume_mount(volume: &task_config::Mount) -> Result<Mount, StartError> {
    let target = clean(Path::new(&volume.task_path));
    if target == Path::new("/") || target.starts_with("/proc") {
        return Err(value(
            "volume_mount",
            format!("a volume cannot be mounted at {:?}", volume.task_path),
        ));
    }
    if !volume.host_path.is_absolute() {
        let message = format!(
            "the volume at {:?} has the relative host path {:?}",
            volume.task_path, volume.host_path
        );
        return Err(value("volume_mount", message));
    }
    let flags = MountFlags {
        read_only: volume.readonly,
        nodev: true,
        propagation: propagation(&volume.propagation_mode)?,
        ..MountFlags::default()
    };
    let source = Source::Bind {
        path: volume.host_path.clone(),
        recursive: true,
    };
    Ok(Mount {
        target,
        source,
        flags,
        missing: Missing::Refuse,
    })
}

fn propagation(mode: &str) -> Result<Propagation, StartError> {
    match mode {
        "" | "private" => Ok(Propagation::Private),
        "host-to-task" => Ok(Propagation::Slave),
        "bidirectional" => Ok(Propagation::Shared),
        other => Err(value(
            "volume_mount",
            format!("unknown propagation_mode {other:?}"),
        )),
    }
}

/// Covers over the hidden directories that lie below `source`, where it is seen at `target`.
pub(crate) fn covers(hidden: &[PathBuf], source: &Path, target: &Path) -> Vec<Mount> {
    let below = |hidden: &PathBuf| {
        hidden
            .strip_prefix(source)
            .ok()
            .filter(|rest| !rest.as_os_str().is_empty())
            .map(|rest| cover(target.join(rest)))
    };
    hidden.iter().filter_map(below).collect()
}

/// A cover, where there is something to hide.
pub(crate) fn cover(target: impl Into<PathBuf>) -> Mount {
    Mount {
        target: target.into(),
        source: Source::Cover,
        flags: MountFlags::default(),
        missing: Missing::Skip,
    }
}

/// Descriptors 0, 1 and 2.
pub(crate) fn stdio(task: &TaskConfig) -> Stdio {
    Stdio {
        stdin: match task.stdin {
            Stdin::Null => Input::Null,
            Stdin::Pipe => Input::Pipe,
            Stdin::Terminal { rows, columns } => Input::Terminal { rows, columns },
        },
        stdout: output(&task.stdout_path),
        stderr: output(&task.stderr_path),
    }
}

/// `/dev/null` is what Nomad's client sends where logs are disabled.
fn output(path: &Path) -> Output {
    if path.as_os_str().is_empty() || path == Path::new("/dev/null") {
        Output::Null
    } else {
        Output::Fifo(path.to_owned())
    }
}

/// procfs of the pid namespace.
pub(crate) fn proc() -> Mount {
    let flags = MountFlags {
        nosuid: true,
        nodev: true,
        noexec: true,
        ..MountFlags::default()
    };
    Mount {
        target: "/proc".into(),
        source: Source::Proc,
        flags,
        missing: Missing::Refuse,
    }
}

/// Nomad masks the first; Docker the others too, and nothing that a task needs is among them.
pub(crate) const MASKED_PROC: [&str; 9] = [
    "/proc/kcore",
    "/proc/acpi",
    "/proc/asound",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
];

/// Nomad's four, and Docker's `/proc/fs`.
pub(crate) const READ_ONLY_PROC: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// Owned paths.
pub(crate) fn paths(list: &[&str]) -> Vec<PathBuf> {
    list.iter().map(PathBuf::from).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_plain_directory_is_refused() {
        let named = |name: &str| {
            directories(&TaskConfig {
                name: name.into(),
                alloc_dir: "/a".into(),
                ..TaskConfig::default()
            })
        };
        for name in ["", ".", "..", "a/b", "a/", "/a", "alloc", "a\0b"] {
            assert!(named(name).is_err(), "{name:?}");
        }
        assert_eq!(named("web").unwrap().task, Path::new("/a/web"));
    }

    #[test]
    fn paths_are_cleaned_at_the_root() {
        for (given, wanted) in [
            ("/../../etc/x", "/etc/x"),
            ("a/./b", "/a/b"),
            ("", "/"),
            ("/a/b/../c", "/a/c"),
        ] {
            assert_eq!(clean(Path::new(given)), Path::new(wanted));
        }
    }

    #[test]
    fn hidden_directories_are_covered_where_they_show() {
        let hidden = [
            "/srv/state".into(),
            "/srv/data".into(),
            "/other".into(),
            "/srv".into(),
        ];
        let targets: Vec<_> = covers(&hidden, Path::new("/srv"), Path::new("/in"))
            .into_iter()
            .map(|mount| mount.target)
            .collect();
        assert_eq!(targets, [Path::new("/in/state"), Path::new("/in/data")]);
    }

    #[test]
    fn volumes_go_nowhere_dangerous() {
        let volume = |task_path: &str, host_path: &str, mode: &str| {
            volume_mount(&task_config::Mount {
                task_path: task_path.into(),
                host_path: host_path.into(),
                propagation_mode: mode.into(),
                ..Default::default()
            })
        };
        assert!(volume("/", "/srv", "").is_err());
        assert!(volume("/a/..", "/srv", "").is_err());
        assert!(volume("/x/../proc/self", "/srv", "").is_err());
        assert!(volume("/x", "srv", "").is_err());
        assert!(volume("/x", "/srv", "rshared").is_err());
        assert_eq!(
            volume("data", "/srv", "host-to-task")
                .unwrap()
                .flags
                .propagation,
            Propagation::Slave
        );
    }
}
