//! The volumes of a task: from `volume_mount` and the group's `volume` to the directories that the node has for them.

use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use driver::task_config::Mount;
use jobspec::{Diagnostic, Group, Task, Volume, VolumeMount};

use crate::config::{Code, diagnostic};
use crate::dirs::Owner;
use crate::error::{Error, Subject};
use crate::node::{HostVolume, Node};

/// The mounts of a task of the allocation with this index, in the order of its job file. Read-only is what the node, the group or the task says is.
///
/// # Errors
/// [`Error::Placement`] for a volume that this node does not have; mistakes in the job file, each with its place.
pub fn volumes(group: &Group, task: &Task, index: u32, node: &Node) -> Result<Vec<Mount>, Error> {
    check(task)?;
    let mounts = pairs(group, task).map(|(mount, volume)| {
        let source = volume.source_of(index);
        let host = host_volume(volume, &source, task, node)?;
        is_there(volume, &source, host, task)?;
        Ok(joined(mount, volume, host))
    });
    mounts.collect()
}

/// The mounts of those volumes that this node has, wherever it has them: for a look at a job that does not run.
pub(crate) fn known(group: &Group, task: &Task, node: &Node) -> Result<Vec<Mount>, Error> {
    check(task)?;
    let mounts = pairs(group, task).filter_map(|(mount, volume)| {
        let host = node.host_volumes.get(&volume.source_of(0))?;
        Some(joined(mount, volume, host))
    });
    Ok(mounts.collect())
}

fn pairs<'a>(
    group: &'a Group,
    task: &'a Task,
) -> impl Iterator<Item = (&'a VolumeMount, &'a Volume)> {
    task.volume_mounts.iter().filter_map(|mount| {
        let mut volumes = group.volumes.iter();
        let volume = volumes.find(|volume| volume.name.value == mount.volume.value)?;
        Some((mount, volume))
    })
}

fn joined(mount: &VolumeMount, volume: &Volume, host: &HostVolume) -> Mount {
    Mount {
        task_path: mount.destination.value.clone(),
        host_path: host.path.clone(),
        readonly: host.read_only || volume.read_only || mount.read_only,
        propagation_mode: mount.propagation_mode.clone(),
        selinux_label: mount.selinux_label.clone(),
        request_name: volume.name.value.clone(),
    }
}

fn host_volume<'a>(
    volume: &Volume,
    source: &str,
    task: &Task,
    node: &'a Node,
) -> Result<&'a HostVolume, Error> {
    node.host_volumes.get(source).ok_or_else(|| {
        let names: Vec<&str> = node.host_volumes.keys().map(String::as_str).collect();
        let known = match names.as_slice() {
            [] => "none is configured; see -c".to_owned(),
            names => format!("there are {}", names.join(", ")),
        };
        missing(
            volume,
            task,
            format!("there is no host_volume {source:?} on this node: {known}"),
        )
    })
}

fn is_there(volume: &Volume, source: &str, host: &HostVolume, task: &Task) -> Result<(), Error> {
    let problem = match std::fs::metadata(&host.path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => "it is no directory".to_owned(),
        Err(error) => error.to_string(),
    };
    let path = host.path.display();
    Err(missing(
        volume,
        task,
        format!("host_volume {source:?} is at {path}: {problem}"),
    ))
}

fn missing(volume: &Volume, task: &Task, reason: String) -> Error {
    Error::Placement {
        subject: Subject {
            task: task.name.clone(),
            span: volume.source.span.clone(),
        },
        constraint: "* Constraint \"missing compatible host volumes\": 1 nodes excluded by filter"
            .to_owned(),
        reason: format!("volume {:?}: {reason}", volume.name.value),
    }
}

/// Of a task's writable volumes those that its user may not write to, as far as their modes tell (nomad#15540).
pub(crate) fn unwritable<'a>(
    mounts: &'a [Mount],
    owner: Owner,
    groups: &'a [u32],
) -> impl Iterator<Item = &'a Mount> {
    mounts
        .iter()
        .filter(move |mount| !mount.readonly && !may_write(&mount.host_path, owner, groups))
}

fn may_write(path: &Path, owner: Owner, groups: &[u32]) -> bool {
    // Root may; what cannot be looked at is told by whoever mounts it; an ACL says more than the mode.
    let Some(found) = std::fs::metadata(path).ok().filter(|_| owner.uid != 0) else {
        return true;
    };
    let mask = if found.uid() == owner.uid {
        0o200
    } else if found.gid() == owner.gid || groups.contains(&found.gid()) {
        0o020
    } else {
        0o002
    };
    found.mode() & mask != 0 || has_acl(path)
}

fn has_acl(path: &Path) -> bool {
    let mut none: [u8; 0] = [];
    rustix::fs::getxattr(path, "system.posix_acl_access", &mut none).is_ok_and(|size| size > 0)
}

fn check(task: &Task) -> Result<(), Error> {
    let mistakes: Vec<_> = task
        .volume_mounts
        .iter()
        // One with a name in it is checked when the name is known.
        .filter(|mount| !mount.destination.value.contains("${"))
        .filter_map(|mount| mistake(&mount.destination.value, mount, task))
        .collect();
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(Error::Job(mistakes))
    }
}

/// The mounts with their destinations as the task sees them: names of its environment are known now.
///
/// # Errors
/// A destination that is none, with its place.
pub(crate) fn placed(
    mounts: &[Mount],
    task: &Task,
    known: impl Fn(&str) -> String,
) -> Result<Vec<Mount>, Vec<Diagnostic>> {
    let placed = mounts.iter().map(|mount| {
        let task_path = known(&mount.task_path);
        let written = task
            .volume_mounts
            .iter()
            .find(|written| written.destination.value == mount.task_path);
        match written.and_then(|written| mistake(&task_path, written, task)) {
            Some(mistake) => Err(vec![mistake]),
            None => Ok(Mount {
                task_path,
                ..mount.clone()
            }),
        }
    });
    placed.collect()
}

fn mistake(destination: &str, mount: &VolumeMount, task: &Task) -> Option<Diagnostic> {
    let problem = problem(Path::new(destination))?;
    Some(diagnostic(
        Code::Volume,
        format!("a volume cannot be mounted at {destination:?}: {problem}"),
        mount.destination.span.clone(),
        format!("task {:?} volume_mount", task.name),
    ))
}

fn problem(destination: &Path) -> Option<&'static str> {
    let mut parts = destination.components();
    if parts.any(|part| part == Component::ParentDir) {
        Some("the path must not contain \"..\"")
    } else if !destination.is_absolute() {
        Some("the path must be absolute")
    } else if destination == Path::new("/") {
        Some("that is the task's root")
    } else if destination.starts_with("/proc") {
        Some("that is the kernel's")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use jobspec::Spanned;

    use super::*;
    use crate::samples;
    use crate::testing::{Scratch, me};

    fn spanned(value: &str) -> Spanned<String> {
        Spanned {
            value: value.to_owned(),
            span: 40..44,
        }
    }

    /// A group with one volume, mounted once by its task.
    fn group(read_only: [bool; 2], destination: &str) -> Group {
        let mut group = samples::job().groups.remove(0);
        group.volumes.push(Volume {
            name: spanned("data"),
            source: spanned("shared"),
            per_alloc: false,
            read_only: read_only[0],
        });
        group.tasks[0].volume_mounts.push(VolumeMount {
            span: 30..50,
            volume: spanned("data"),
            destination: spanned(destination),
            read_only: read_only[1],
            propagation_mode: "host-to-task".to_owned(),
            selinux_label: String::new(),
        });
        group
    }

    fn node(read_only: bool, path: &str) -> Node {
        let mut node = Node::default();
        let volume = HostVolume {
            path: path.into(),
            read_only,
        };
        node.host_volumes.insert("shared".to_owned(), volume);
        node
    }

    fn mounts(group: &Group, node: &Node) -> Result<Vec<Mount>, Error> {
        volumes(group, &group.tasks[0], 0, node)
    }

    #[test]
    fn read_only_is_what_anybody_says_is() {
        for (host, request, mount) in [
            (false, false, false),
            (true, false, false),
            (false, true, false),
            (false, false, true),
        ] {
            let found = mounts(&group([request, mount], "/srv"), &node(host, "/")).unwrap();
            assert_eq!(found[0].readonly, host || request || mount);
        }
    }

    #[test]
    fn each_allocation_has_its_own_volume_where_the_group_says_so() {
        let mut group = group([false; 2], "/srv");
        group.volumes[0].per_alloc = true;
        let mut node = Node::default();
        for (name, path) in [("shared[0]", "/"), ("shared[1]", "/etc")] {
            let volume = HostVolume {
                path: path.into(),
                read_only: false,
            };
            node.host_volumes.insert(name.to_owned(), volume);
        }
        let path = |index| {
            let found = volumes(&group, &group.tasks[0], index, &node).ok()?;
            Some(found[0].host_path.clone())
        };
        assert_eq!(
            [path(0), path(1), path(2)],
            [Some("/".into()), Some("/etc".into()), None]
        );
    }

    #[test]
    fn a_mount_carries_everything() {
        let found = mounts(&group([false; 2], "/srv"), &node(false, "/etc")).unwrap();
        let expected = Mount {
            task_path: "/srv".to_owned(),
            host_path: "/etc".into(),
            readonly: false,
            propagation_mode: "host-to-task".to_owned(),
            selinux_label: String::new(),
            request_name: "data".to_owned(),
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn what_the_node_does_not_have_is_told_with_what_it_has() {
        let group = group([false; 2], "/srv");
        let told = |node: &Node| match mounts(&group, node).unwrap_err() {
            Error::Placement {
                subject, reason, ..
            } => {
                assert_eq!(subject.span, 40..44);
                reason
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(
            told(&Node::default()),
            "volume \"data\": there is no host_volume \"shared\" on this node: none is configured; see -c"
        );
        let mut other = node(false, "/");
        other.host_volumes = other
            .host_volumes
            .into_values()
            .map(|volume| ("certs".to_owned(), volume))
            .collect();
        assert!(told(&other).ends_with("on this node: there are certs"));
        assert_eq!(
            told(&node(false, "/no/such")),
            "volume \"data\": host_volume \"shared\" is at /no/such: No such file or directory (os error 2)"
        );
        assert!(told(&node(false, "/etc/passwd")).ends_with("it is no directory"));
    }

    #[test]
    fn a_volume_that_the_task_cannot_write_to_is_found() {
        let scratch = Scratch::new();
        let mine = me();
        let other = Owner {
            uid: 80_017,
            gid: 80_017,
        };
        let group = group([false; 2], "/srv");
        let node = node(false, &scratch.path().display().to_string());
        let mut found = mounts(&group, &node).unwrap();
        assert_eq!(unwritable(&found, mine, &[]).count(), 0);
        assert_eq!(unwritable(&found, other, &[]).count(), 1);
        let of_group = std::os::unix::fs::PermissionsExt::from_mode(0o770);
        std::fs::set_permissions(scratch.path(), of_group).unwrap();
        assert_eq!(unwritable(&found, other, &[]).count(), 1);
        let groups = [80_018, std::fs::metadata(scratch.path()).unwrap().gid()];
        assert_eq!(unwritable(&found, other, &groups).count(), 0);
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(scratch.path(), open).unwrap();
        assert_eq!(unwritable(&found, other, &[]).count(), 0);
        let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(scratch.path(), closed).unwrap();
        found[0].readonly = true;
        assert_eq!(unwritable(&found, other, &[]).count(), 0);
    }

    #[test]
    fn a_destination_that_leads_elsewhere_is_a_mistake_in_the_job() {
        for destination in [
            "srv",
            "",
            "/",
            "/srv/..",
            "/srv/../x",
            "/proc",
            "/proc/self",
            "/./proc/1",
        ] {
            let group = group([false; 2], destination);
            let Err(Error::Job(mistakes)) = mounts(&group, &node(false, "/")) else {
                panic!("{destination}")
            };
            assert_eq!(mistakes[0].span, 40..44);
        }
        for destination in ["/srv", "/srv/", "/a/./b", "/procedure"] {
            assert!(mounts(&group([false; 2], destination), &node(false, "/")).is_ok());
        }
    }
}
