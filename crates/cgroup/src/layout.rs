//! Which directories belong to one cgroup, from the one path that a client hands over.
//!
//! A client names a cgroup by a single path and the receiver finds the others by convention:
//! ```text
//! v2      <mount>/<parent>/share.slice/<scope>.scope          the path itself, the whole cgroup
//! v1      <cpuset mount>/<parent>/share                       the path: shared by all, entered only
//!    or   <cpuset mount>/<parent>/reserve/<scope>             the path: processors of its own
//!         <controller mount>/<parent>/<scope>                 every other controller
//!         <v2 mount>/<parent>/<scope>.scope                   hybrid: the bare v2 hierarchy beside them
//! ```
//! Nomad's client lays out its cgroups like this (`<parent>` is `nomad.slice` or `nomad`), and so must whoever wants
//! to be interchangeable with it.
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::{Controller, Error, Host, Partition, Paths, Version, file};

const SHARE: &str = "share";
const RESERVE: &str = "reserve";

impl Host {
    /// The directories of the cgroup that was handed over as `cpuset_cgroup`; `scope` names it (`<id>.<name>`) where
    /// the path does not. Nothing is made or looked up. A client that gives a v1 path makes only some of these:
    /// [`Paths::added`] is the rest.
    ///
    /// # Errors
    /// [`Error::Unusable`] when the path is not below a hierarchy of this host, has no parent, or when `scope` is no
    /// file name.
    pub fn given(&self, cpuset_cgroup: &Path, scope: &str) -> Result<Paths, Error> {
        check_name(scope)?;
        let (mount, relative) = self.locate(cpuset_cgroup)?;
        match self.version {
            Version::V2 => Ok(Paths {
                unified: Some(mount.join(relative)),
                ..Paths::default()
            }),
            Version::V1 => self.given_v1(mount, relative, scope),
        }
    }

    /// The directories of a cgroup that the caller makes all by itself below `parent` (default `encamp.slice` on v2,
    /// `encamp` on v1), and the path to hand over to whoever calls [`Host::given`].
    ///
    /// # Errors
    /// [`Error::Unusable`] when `parent` is no relative path or `scope` no file name.
    pub fn standalone(&self, parent: Option<&str>, scope: &str) -> Result<(Paths, PathBuf), Error> {
        self.standalone_in(Partition::Share, parent, scope)
    }

    /// Like [`Host::standalone`], in a partition of the host's processors. Where processors are reserved at all, see
    /// [`Host::share_cpus`] for what the share must be told.
    ///
    /// # Errors
    /// As [`Host::standalone`].
    pub fn standalone_in(
        &self,
        partition: Partition,
        parent: Option<&str>,
        scope: &str,
    ) -> Result<(Paths, PathBuf), Error> {
        check_name(scope)?;
        let handed = self.handed(partition, &self.parent(parent)?, scope)?;
        Ok((self.given(&handed, scope)?, handed))
    }

    /// Removes the directories above standalone cgroups of `parent` when no cgroup is left below them; else nothing.
    ///
    /// No cgroup may be made below the same parent meanwhile: a v1 cpuset partition looks unused until the first
    /// process has entered it. Callers that run concurrently hold a lock from this call's start, and from
    /// [`Cgroup::create`](crate::Cgroup::create) until the process has entered.
    ///
    /// # Errors
    /// When a directory is neither in use nor removable.
    pub fn sweep(&self, parent: Option<&str>) -> Result<(), Error> {
        let parent = self.parent(parent)?;
        let Paths {
            unified, mut v1, ..
        } = self.paths(&parent);
        // The cpuset partition last: any other directory still in use says that it is, too.
        let cpuset = v1.remove(&Controller::Cpuset);
        let slices = unified
            .iter()
            .flat_map(|dir| ["share.slice", "reserve.slice"].map(|slice| dir.join(slice)));
        let mut dirs: Vec<_> = slices
            .chain(unified.clone())
            .chain(v1.into_values())
            .collect();
        dirs.extend(
            cpuset
                .iter()
                .flat_map(|dir| [dir.join(SHARE), dir.join(RESERVE), dir.clone()]),
        );
        for dir in dirs {
            match std::fs::remove_dir(&dir) {
                Err(error) if file::is_busy(&error) => return Ok(()),
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &dir, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn given_v1(&self, mount: &Path, relative: &Path, scope: &str) -> Result<Paths, Error> {
        let path = mount.join(relative);
        let (parent, is_shared) = split(relative);
        if parent.as_os_str().is_empty() {
            return Err(Error::unusable(&path, "it has no parent cgroup"));
        }
        let mut paths = self.paths(&parent.join(scope));
        paths.unified = self
            .unified
            .as_ref()
            .map(|mount| mount.join(parent).join(format!("{scope}.scope")));
        // In a hierarchy with two controllers a process has one place, and there the limits win over the partition.
        let alone = self.v1.values().filter(|other| *other == mount).count() == 1;
        if self
            .v1
            .get(&Controller::Cpuset)
            .is_some_and(|cpuset| cpuset == mount)
            && alone
        {
            paths.v1.remove(&Controller::Cpuset);
            let place = if is_shared {
                &mut paths.shared
            } else {
                &mut paths.v1
            };
            place.insert(Controller::Cpuset, path);
        }
        Ok(paths)
    }

    /// The mount that `path` is below, and the path from there.
    fn locate<'a>(&'a self, path: &'a Path) -> Result<(&'a Path, &'a Path), Error> {
        let mounts = self.mounts();
        let found =
            mounts.filter_map(|mount| Some((mount.as_path(), path.strip_prefix(mount).ok()?)));
        let Some((mount, relative)) = found.max_by_key(|(mount, _)| mount.as_os_str().len()) else {
            return Err(Error::unusable(path, "it is not below a mounted hierarchy"));
        };
        match check_relative(relative) {
            true => Ok((mount, relative)),
            false => Err(Error::unusable(
                path,
                "it must name a directory below the mount point, without ..",
            )),
        }
    }

    /// The mounts that a path may be handed over from.
    fn mounts(&self) -> Box<dyn Iterator<Item = &PathBuf> + '_> {
        match self.version {
            Version::V2 => Box::new(self.unified.iter()),
            Version::V1 => Box::new(self.v1.values()),
        }
    }

    /// The mount that paths are handed over from: cpuset's on v1, as [`Host::given`] says.
    pub(crate) fn top(&self) -> Result<&Path, Error> {
        let first = self
            .v1
            .get(&Controller::Cpuset)
            .or_else(|| self.mounts().next());
        first
            .map(PathBuf::as_path)
            .ok_or_else(|| Error::NoHierarchy {
                reason: "the host has no mounts".to_owned(),
            })
    }

    pub(crate) fn parent(&self, parent: Option<&str>) -> Result<PathBuf, Error> {
        let default = match self.version {
            Version::V2 => "encamp.slice",
            Version::V1 => "encamp",
        };
        let parent = Path::new(parent.unwrap_or(default).trim_matches('/'));
        match check_relative(parent) {
            true => Ok(parent.to_owned()),
            false => Err(Error::unusable(
                parent,
                "a parent cgroup must be a relative path without ..",
            )),
        }
    }
}

/// The parent in a path below the cpuset mount, and whether the path is the partition that all share.
fn split(relative: &Path) -> (&Path, bool) {
    let above = relative.parent().unwrap_or(Path::new(""));
    if relative.ends_with(SHARE) {
        (above, true)
    } else if above.ends_with(RESERVE) {
        (above.parent().unwrap_or(Path::new("")), false)
    } else {
        (above, false)
    }
}

fn check_relative(path: &Path) -> bool {
    path.components().count() > 0
        && path
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

fn check_name(scope: &str) -> Result<(), Error> {
    let fits = (1..=240).contains(&scope.len())
        && !scope.contains(['/', '\n', '\0'])
        && scope != "."
        && scope != "..";
    match fits {
        true => Ok(()),
        false => Err(Error::unusable(
            Path::new(scope),
            "the name of a cgroup must be a file name of 1 to 240 bytes",
        )),
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn v2() -> Host {
        Host {
            version: Version::V2,
            unified: Some("/sys/fs/cgroup".into()),
            v1: BTreeMap::new(),
        }
    }

    fn v1(mounts: &[(Controller, &str)]) -> Host {
        let v1 = mounts
            .iter()
            .map(|(controller, name)| (*controller, Path::new("/sys/fs/cgroup").join(name)));
        Host {
            version: Version::V1,
            unified: None,
            v1: v1.collect(),
        }
    }

    fn hybrid() -> Host {
        let mounts = [
            (Controller::Memory, "memory"),
            (Controller::Cpu, "cpu"),
            (Controller::Cpuset, "cpuset"),
        ];
        Host {
            unified: Some("/sys/fs/cgroup/unified".into()),
            ..v1(&mounts)
        }
    }

    fn dir(paths: &Paths, controller: Controller) -> &str {
        paths.v1[&controller].to_str().unwrap()
    }

    #[test]
    fn on_v2_the_given_path_is_the_cgroup() {
        let given = "/sys/fs/cgroup/p.slice/reserve.slice/id.web.scope";
        let paths = v2().given(Path::new(given), "id.web").unwrap();
        assert_eq!(
            paths,
            Paths {
                unified: Some(given.into()),
                ..Paths::default()
            }
        );
    }

    #[test]
    fn a_share_is_entered_but_not_owned() {
        let paths = hybrid()
            .given(Path::new("/sys/fs/cgroup/cpuset/p/share"), "id.web")
            .unwrap();
        assert_eq!(
            dir(&paths, Controller::Memory),
            "/sys/fs/cgroup/memory/p/id.web"
        );
        assert_eq!(dir(&paths, Controller::Cpu), "/sys/fs/cgroup/cpu/p/id.web");
        assert_eq!(
            paths.unified.as_deref().unwrap(),
            Path::new("/sys/fs/cgroup/unified/p/id.web.scope")
        );
        assert_eq!(
            paths.shared[&Controller::Cpuset],
            Path::new("/sys/fs/cgroup/cpuset/p/share")
        );
        assert_eq!(paths.of(Controller::Cpuset), None);
    }

    #[test]
    fn a_reserved_cpuset_is_the_cgroups_own() {
        let paths = hybrid()
            .given(
                Path::new("/sys/fs/cgroup/cpuset/a/b/reserve/id.web"),
                "id.web",
            )
            .unwrap();
        assert_eq!(
            dir(&paths, Controller::Cpuset),
            "/sys/fs/cgroup/cpuset/a/b/reserve/id.web"
        );
        assert_eq!(
            dir(&paths, Controller::Memory),
            "/sys/fs/cgroup/memory/a/b/id.web"
        );
        assert!(paths.shared.is_empty());
    }

    #[test]
    fn a_cpuset_mounted_with_cpu_follows_cpu() {
        let host = v1(&[
            (Controller::Cpu, "all"),
            (Controller::Cpuset, "all"),
            (Controller::Memory, "memory"),
        ]);
        let paths = host
            .given(Path::new("/sys/fs/cgroup/all/p/share"), "id.web")
            .unwrap();
        assert_eq!(
            dir(&paths, Controller::Cpuset),
            "/sys/fs/cgroup/all/p/id.web"
        );
        assert!(paths.shared.is_empty());
    }

    #[test]
    fn paths_outside_the_hierarchies_are_refused() {
        for bad in [
            "",
            "/",
            "/tmp/p/share",
            "/sys/fs/cgroup/cpuset",
            "/sys/fs/cgroup/cpuset/share",
        ] {
            assert!(hybrid().given(Path::new(bad), "id.web").is_err(), "{bad}");
        }
        for bad in [
            "/sys/fs/cgroup/cpuset/p/../share",
            "/sys/fs/cgroup/unified/p/share",
            "p/share",
        ] {
            assert!(hybrid().given(Path::new(bad), "id.web").is_err(), "{bad}");
        }
        for bad in [
            "/sys/fs/cgroup",
            "/sys/fs/cgroup/",
            "/sys/fs/cgroup/../x",
            "x",
        ] {
            assert!(v2().given(Path::new(bad), "id.web").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_one_file_name() {
        for bad in ["", ".", "..", "a/b", "a\nb", &"x".repeat(241)] {
            assert!(v2().standalone(None, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn standalone_cgroups_have_a_parent_of_their_own() {
        let (paths, handed) = v2().standalone(None, "id.web").unwrap();
        assert_eq!(
            handed,
            Path::new("/sys/fs/cgroup/encamp.slice/share.slice/id.web.scope")
        );
        assert_eq!(paths.unified.as_deref(), Some(handed.as_path()));
        let (paths, handed) = hybrid().standalone(None, "id.web").unwrap();
        assert_eq!(handed, Path::new("/sys/fs/cgroup/cpuset/encamp/share"));
        assert_eq!(
            dir(&paths, Controller::Memory),
            "/sys/fs/cgroup/memory/encamp/id.web"
        );
    }

    #[test]
    fn standalone_cgroups_with_processors_of_their_own_lie_in_the_reserve() {
        let in_reserve = |host: Host| {
            host.standalone_in(Partition::Reserve, None, "id.web")
                .unwrap()
        };
        let (paths, handed) = in_reserve(v2());
        assert_eq!(
            handed,
            Path::new("/sys/fs/cgroup/encamp.slice/reserve.slice/id.web.scope")
        );
        assert_eq!(paths.of(Controller::Cpuset), Some(handed.as_path()));
        let (paths, handed) = in_reserve(hybrid());
        assert_eq!(
            handed,
            Path::new("/sys/fs/cgroup/cpuset/encamp/reserve/id.web")
        );
        assert_eq!(paths.of(Controller::Cpuset), Some(handed.as_path()));
        assert_eq!(
            dir(&paths, Controller::Memory),
            "/sys/fs/cgroup/memory/encamp/id.web"
        );
        assert!(paths.shared.is_empty());
    }

    #[test]
    fn the_parent_can_be_chosen() {
        let (_, handed) = v2().standalone(Some("/my/own.slice/"), "id.web").unwrap();
        assert_eq!(
            handed,
            Path::new("/sys/fs/cgroup/my/own.slice/share.slice/id.web.scope")
        );
        for bad in ["", "/", "..", "a/../b"] {
            assert!(hybrid().standalone(Some(bad), "id.web").is_err(), "{bad}");
        }
    }

    #[test]
    fn what_standalone_hands_over_gives_the_same_directories() {
        let no_cpuset = v1(&[
            (Controller::Memory, "memory"),
            (Controller::Cpu, "cpu"),
            (Controller::Freezer, "f"),
        ]);
        for host in [v2(), hybrid(), no_cpuset] {
            let (paths, handed) = host.standalone(None, "id.web").unwrap();
            assert_eq!(host.given(&handed, "id.web").unwrap(), paths);
        }
    }
}
