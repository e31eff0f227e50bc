//! The rules of the Landlock domain.
use std::path::PathBuf;

use sandbox::spec::{Access, Missing, Mount, Output, Rule, Source, Stdio};

use super::layout::Layout;
use super::lower::Grants;
use super::{Operator, defaults};
use crate::lower::Given;

const RX: Access = Access::READ.union(Access::EXECUTE);
const RWXC: Access = RX.union(Access::WRITE).union(Access::CREATE);

/// Rules in the order of what grants them, those of one path joined: the kernel takes the union in any case.
#[derive(Debug)]
struct Rules {
    rules: Vec<Rule>,
    /// Paths at which the task has files of its own.
    made: Vec<PathBuf>,
}

impl Rules {
    fn add(&mut self, path: impl Into<PathBuf>, access: Access, missing: Missing) {
        let path = path.into();
        // A rule made outside would speak of the launcher's procfs, or of the host's file: the task has its own.
        let inside = path.starts_with("/proc") || self.made.contains(&path);
        match self.rules.iter_mut().find(|rule| rule.path == path) {
            Some(rule) => {
                rule.access |= access;
                if missing == Missing::Refuse {
                    rule.missing = missing;
                }
            }
            None => self.rules.push(Rule {
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
    mounts: &[Mount],
) -> Vec<Rule> {
    let mut rules = Rules {
        rules: Vec::new(),
        made: made(mounts),
    };
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
    devices(&mut rules, given);
    logs(&mut rules, stdio);
    rules.rules
}

/// Where files lie that exist in the task's tree alone.
fn made(mounts: &[Mount]) -> Vec<PathBuf> {
    let made = mounts
        .iter()
        .filter(|mount| matches!(mount.source, Source::File { .. }));
    made.map(|mount| mount.target.clone()).collect()
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

/// By the node's inode, wherever it is shown.
fn devices(rules: &mut Rules, given: Given<'_>) {
    for device in &given.task.devices {
        let letters = &device.cgroup_permissions;
        let access = [('r', Access::READ), ('w', Access::WRITE)]
            .into_iter()
            .filter(|(letter, _)| letters.contains(*letter));
        let access = access.fold(Access::IOCTL, |all, (_, one)| all | one);
        rules.add(&device.host_path, access, Missing::Refuse);
    }
}

/// So that `/dev/stdout` and `/dev/stderr` open by path.
fn logs(rules: &mut Rules, stdio: &Stdio) {
    for output in [&stdio.stdout, &stdio.stderr] {
        if let Output::Fifo(path) = output {
            rules.add(path, Access::WRITE, Missing::Refuse);
        }
    }
}
