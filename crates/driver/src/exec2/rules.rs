//! The rules of the Landlock domain.
use std::path::{Path, PathBuf};

use sandbox::spec::{Access, Missing, Output, Rule, Stdio};

use super::layout::Layout;
use super::lower::Grants;
use super::{Operator, defaults};
use crate::api::StartError;
use crate::lower::{self, Given};

const RX: Access = Access::READ.union(Access::EXECUTE);
const RWXC: Access = RX.union(Access::WRITE).union(Access::CREATE);

/// Rules in the order of what grants them, those of one path joined: the kernel takes the union in any case.
#[derive(Debug, Default)]
struct Rules(Vec<Rule>);

impl Rules {
    fn add(&mut self, path: impl Into<PathBuf>, access: Access, missing: Missing) {
        let path = path.into();
        // Rules on a procfs made outside would bind to the launcher's: the task has its own.
        let inside = path.starts_with("/proc");
        match self.0.iter_mut().find(|rule| rule.path == path) {
            Some(rule) => {
                rule.access |= access;
                if missing == Missing::Refuse {
                    rule.missing = missing;
                }
            }
            None => self.0.push(Rule {
                path,
                access,
                missing,
                inside,
            }),
        }
    }
}

/// Everything that is granted.
pub(super) fn rules(
    given: Given<'_>,
    operator: &Operator,
    layout: &Layout,
    grants: &Grants,
    stdio: &Stdio,
) -> Result<Vec<Rule>, StartError> {
    let mut rules = Rules::default();
    if operator.unveil_defaults {
        own(&mut rules, layout);
        system(&mut rules);
    }
    for grant in &grants.0 {
        rules.add(
            landlock_path(grant.host_path(layout)),
            grant.access,
            Missing::Refuse,
        );
    }
    volumes(&mut rules, given);
    devices(&mut rules, given)?;
    logs(&mut rules, stdio);
    Ok(rules.0)
}

/// The task's own directories. The task directory itself is its working directory and can be listed and read.
fn own(rules: &mut Rules, layout: &Layout) {
    rules.add(&layout.task, Access::READ, Missing::Refuse);
    for directory in ["local", "secrets", "tmp"] {
        rules.add(layout.task.join(directory), RWXC, Missing::Refuse);
    }
    rules.add(&layout.alloc, RWXC, Missing::Refuse);
}

fn system(rules: &mut Rules) {
    for (path, access) in defaults::PATHS {
        rules.add(*path, *access, Missing::Skip);
    }
    rules.add("/proc", Access::READ, Missing::Refuse);
}

/// `/proc/self` is another directory for each process: what is asked for below it can only be granted on all of `/proc`.
fn landlock_path(path: PathBuf) -> PathBuf {
    let own = ["/proc/self", "/proc/thread-self"]
        .iter()
        .any(|own| path.starts_with(own));
    if own { "/proc".into() } else { path }
}

fn volumes(rules: &mut Rules, given: Given<'_>) {
    for volume in &given.task.mounts {
        rules.add(
            &volume.host_path,
            if volume.readonly { RX } else { RWXC },
            Missing::Refuse,
        );
    }
}

/// A device is granted at its own place: the host's `/dev` is what the task sees.
fn devices(rules: &mut Rules, given: Given<'_>) -> Result<(), StartError> {
    for device in &given.task.devices {
        if lower::clean(Path::new(&device.task_path)) != device.host_path {
            let message = format!(
                "exec2 cannot show the device {:?} at {:?}",
                device.host_path, device.task_path
            );
            return Err(lower::value("device", message));
        }
        let letters = &device.cgroup_permissions;
        let access = [('r', Access::READ), ('w', Access::WRITE)]
            .into_iter()
            .filter(|(letter, _)| letters.contains(*letter));
        let access = access.fold(Access::IOCTL, |all, (_, one)| all | one);
        rules.add(&device.host_path, access, Missing::Refuse);
    }
    Ok(())
}

/// So that `/dev/stdout` and `/dev/stderr` open by path.
fn logs(rules: &mut Rules, stdio: &Stdio) {
    for output in [&stdio.stdout, &stdio.stderr] {
        if let Output::Fifo(path) = output {
            rules.add(path, Access::WRITE, Missing::Refuse);
        }
    }
}
