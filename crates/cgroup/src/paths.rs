//! The directories that together are one cgroup.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Controller;

/// What a client that hands over only the cpuset path makes itself; the other v1 directories are made beside them.
const GIVEN: [Controller; 4] = [
    Controller::Cpu,
    Controller::Cpuset,
    Controller::Freezer,
    Controller::Memory,
];

/// One cgroup's directory in each hierarchy. Plain data: it can be stored and opened again by another process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// In the v2 hierarchy: all controllers (v2) or only kill and events (hybrid).
    pub unified: Option<PathBuf>,
    /// In each v1 hierarchy.
    pub v1: BTreeMap<Controller, PathBuf>,
    /// Directories that other cgroups share (a v1 cpuset partition): entered, never killed, counted or removed.
    pub shared: BTreeMap<Controller, PathBuf>,
}

impl Paths {
    /// The directory that holds the interface files of `controller`, if this cgroup has one of its own.
    pub fn of(&self, controller: Controller) -> Option<&Path> {
        match self.is_v2() {
            true => self.unified.as_deref(),
            false => self.v1.get(&controller).map(PathBuf::as_path),
        }
    }

    /// The part of [`Host::given`](crate::Host::given) that the giver knows nothing of, so that whoever uses the
    /// cgroup makes and removes it: on v1 everything but the hierarchies of cpu, cpuset, freezer and memory; on v2
    /// nothing.
    pub fn added(&self) -> Paths {
        if self.is_v2() {
            return Paths::default();
        }
        let given: BTreeSet<_> = GIVEN
            .iter()
            .filter_map(|controller| self.v1.get(controller))
            .collect();
        let added = self.v1.iter().filter(|(_, dir)| !given.contains(dir));
        let v1 = added
            .map(|(controller, dir)| (*controller, dir.clone()))
            .collect();
        Paths {
            unified: self.unified.clone(),
            v1,
            shared: BTreeMap::new(),
        }
    }

    /// Whether the v2 hierarchy has the controllers.
    pub(crate) fn is_v2(&self) -> bool {
        self.v1.is_empty() && self.shared.is_empty()
    }

    /// The v1 directories that nobody shares, each once: controllers mounted together have one directory.
    pub(crate) fn own_v1(&self) -> BTreeSet<&Path> {
        let shared: BTreeSet<_> = self.shared.values().collect();
        self.v1
            .values()
            .filter(|dir| !shared.contains(dir))
            .map(PathBuf::as_path)
            .collect()
    }

    /// Every directory that nobody shares, each once.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Path> {
        self.unified.as_deref().into_iter().chain(self.own_v1())
    }

    /// The one to name in a message about the whole cgroup.
    pub(crate) fn first(&self) -> PathBuf {
        self.own().next().unwrap_or(Path::new("")).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hybrid() -> Paths {
        let v1 = [
            (Controller::Cpu, "/cg/cpu,cpuacct/p/x"),
            (Controller::Cpuacct, "/cg/cpu,cpuacct/p/x"),
            (Controller::Memory, "/cg/memory/p/x"),
            (Controller::Pids, "/cg/pids/p/x"),
        ];
        Paths {
            unified: Some("/cg/unified/p/x.scope".into()),
            v1: v1
                .into_iter()
                .map(|(controller, dir)| (controller, dir.into()))
                .collect(),
            shared: [(Controller::Cpuset, "/cg/cpuset/p/share".into())].into(),
        }
    }

    #[test]
    fn directories_of_controllers_mounted_together_are_visited_once() {
        let paths = hybrid();
        let own: Vec<_> = paths
            .own()
            .map(|dir| dir.to_string_lossy().into_owned())
            .collect();
        assert_eq!(
            own,
            [
                "/cg/unified/p/x.scope",
                "/cg/cpu,cpuacct/p/x",
                "/cg/memory/p/x",
                "/cg/pids/p/x"
            ]
        );
    }

    #[test]
    fn a_shared_directory_is_never_an_own_one() {
        let mut paths = hybrid();
        paths
            .v1
            .insert(Controller::Cpuset, "/cg/cpuset/p/share".into());
        assert!(paths.own().all(|dir| !dir.ends_with("share")));
    }

    #[test]
    fn added_is_what_the_giver_does_not_make() {
        let added = hybrid().added();
        assert_eq!(
            added.v1.into_iter().collect::<Vec<_>>(),
            [(Controller::Pids, "/cg/pids/p/x".into())]
        );
        assert_eq!(added.unified, hybrid().unified);
        assert!(added.shared.is_empty());
        let v2 = Paths {
            unified: Some("/cg/p/x.scope".into()),
            ..Paths::default()
        };
        assert_eq!(v2.added(), Paths::default());
    }

    #[test]
    fn a_controller_without_its_own_directory_has_none() {
        assert_eq!(hybrid().of(Controller::Cpuset), None);
        assert_eq!(
            hybrid().of(Controller::Pids),
            Some(Path::new("/cg/pids/p/x"))
        );
        let v2 = Paths {
            unified: Some("/cg/x".into()),
            ..Paths::default()
        };
        assert_eq!(v2.of(Controller::Cpuset), Some(Path::new("/cg/x")));
    }
}
