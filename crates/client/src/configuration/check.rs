//! What a value must be beyond its type.

use std::path::{Component, Path};

use cgroup::{CpuSet, Host};
use jobspec::Spanned;

use super::{Merge, Placed};

impl Merge<'_> {
    pub(super) fn absolute(
        &mut self,
        file: usize,
        name: &str,
        path: &Spanned<String>,
        within: &str,
    ) -> bool {
        let good = Path::new(&path.value).is_absolute();
        if !good {
            let detail = format!("{name} must be an absolute path, got {:?}.", path.value);
            self.mistake(file, path.span.clone(), within, detail);
        }
        good
    }

    pub(super) fn parent(&mut self, file: usize, given: Option<Spanned<String>>) {
        let Some(Spanned { value, span }) = given else {
            return;
        };
        let path = Path::new(value.trim_matches('/'));
        let plain = |part| matches!(part, Component::Normal(_));
        if path.components().count() == 0 || !path.components().all(plain) {
            let detail = format!(
                "cgroup_parent must name a cgroup below the root, without \"..\", got {value:?}."
            );
            self.mistake(file, span, "client", detail);
        } else {
            self.done.node.cgroup_parent = path.to_str().map(str::to_owned);
        }
    }

    pub(super) fn reserved_cores(&mut self, file: usize, given: Option<Spanned<String>>) {
        let Some(Spanned { value, span }) = given else {
            return;
        };
        let problem = match value.parse::<CpuSet>() {
            Err(error) => error.to_string(),
            Ok(cores) => match absent(&cores) {
                None => {
                    self.done.node.reserved_cores = cores;
                    return;
                }
                Some(problem) => problem,
            },
        };
        let detail = format!("reserved.cores: {problem}.");
        self.mistake(file, span, "client reserved", detail);
    }

    /// The range of uids, once all files were read: each end may come from another.
    pub(super) fn users(&mut self) {
        let default = self.done.node.dynamic_users.clone();
        let (min, max) = (self.dynamic_user_min.clone(), self.dynamic_user_max.clone());
        let min = self.uid("dynamic_user_min", min, *default.start());
        let max = self.uid("dynamic_user_max", max, *default.end());
        let (Some(min), Some(max)) = (min, max) else {
            return;
        };
        let given = self
            .dynamic_user_min
            .as_ref()
            .or(self.dynamic_user_max.as_ref());
        match given.cloned() {
            Some(given) if min > max => {
                let detail = format!(
                    "dynamic_user_min ({min}) must not be greater than dynamic_user_max ({max})."
                );
                self.mistake(given.file, given.span, "client users", detail);
            }
            _ => self.done.node.dynamic_users = min..=max,
        }
    }

    /// `None`: it was no uid.
    fn uid(&mut self, name: &str, given: Option<Placed<i64>>, default: u32) -> Option<u32> {
        let Some(given) = given else {
            return Some(default);
        };
        // The highest number stands for "no uid" in chown(2); 0 is root.
        let uid = u32::try_from(given.value)
            .ok()
            .filter(|uid| (1..u32::MAX).contains(uid));
        if uid.is_none() {
            let detail = format!("{name} must be from 1 to {}.", u32::MAX - 1);
            self.mistake(given.file, given.span, "client users", detail);
        }
        uid
    }
}

/// What this host does not have of them. Where nothing can be reserved a task with cores is told so.
fn absent(cores: &CpuSet) -> Option<String> {
    let usable = Host::detect().and_then(|host| host.usable_cpus()).ok()?;
    let absent = cores.difference(&usable);
    (!absent.is_empty()).then(|| format!("this host has no core {absent}, only {usable}"))
}
