//! Which hierarchies this host has, found once from mountinfo.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::mountinfo::{self, Hierarchy, Mount};
use crate::{Error, Paths, file};

/// A controller by its kernel name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are the kernel's")]
pub enum Controller {
    Blkio,
    Cpu,
    Cpuacct,
    Cpuset,
    Devices,
    Freezer,
    Memory,
    Pids,
}

impl Controller {
    /// All of them, in the order of their names.
    pub const ALL: [Controller; 8] = [
        Controller::Blkio,
        Controller::Cpu,
        Controller::Cpuacct,
        Controller::Cpuset,
        Controller::Devices,
        Controller::Freezer,
        Controller::Memory,
        Controller::Pids,
    ];

    /// Its name as the kernel spells it.
    pub fn name(self) -> &'static str {
        match self {
            Controller::Blkio => "blkio",
            Controller::Cpu => "cpu",
            Controller::Cpuacct => "cpuacct",
            Controller::Cpuset => "cpuset",
            Controller::Devices => "devices",
            Controller::Freezer => "freezer",
            Controller::Memory => "memory",
            Controller::Pids => "pids",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Controller> {
        Controller::ALL
            .into_iter()
            .find(|controller| controller.name() == name)
    }
}

/// Where the controllers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// One hierarchy with all controllers.
    V2,
    /// Controllers on v1 hierarchies; with or without a bare v2 hierarchy beside them.
    V1,
}

/// The mounted hierarchies of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Where the controllers are.
    pub version: Version,
    /// Mount point of the v2 hierarchy, with (v2) or without (hybrid) controllers.
    pub unified: Option<PathBuf>,
    /// Mount point of each v1 controller; empty on v2. Two controllers may share one.
    pub v1: BTreeMap<Controller, PathBuf>,
}

impl Host {
    /// Looks at `/proc/self/mountinfo`, and at `cgroup.controllers` of a v2 hierarchy, once: hierarchies do not move while a
    /// process lives. A failure is looked at again, since somebody may mount one.
    ///
    /// # Errors
    /// [`Error::NoHierarchy`] when memory and cpu are not both on v1 or both on v2, or when nothing is mounted by
    /// which a tree of processes could be killed.
    pub fn detect() -> Result<Host, Error> {
        static HOST: OnceLock<Host> = OnceLock::new();
        match HOST.get() {
            Some(host) => Ok(host.clone()),
            None => Self::look().map(|host| HOST.get_or_init(|| host).clone()),
        }
    }

    fn look() -> Result<Host, Error> {
        let path = Path::new("/proc/self/mountinfo");
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::io("read", path, source))?;
        let mut mounts = mountinfo::mounts(&text);
        mounts.retain(Mount::is_visible);
        let controllers = file::read(Path::new("/proc/cgroups"))?.unwrap_or_default();
        choose(&mounts, &disabled(&controllers), |unified| {
            Ok(file::read(&unified.join("cgroup.controllers"))?.unwrap_or_default())
        })
    }

    /// Like [`Host::detect`], from the text of `/proc/self/mountinfo` and that of the v2 hierarchy's
    /// `cgroup.controllers`.
    ///
    /// # Errors
    /// As [`Host::detect`].
    pub fn parse(mountinfo: &str, controllers: &str) -> Result<Host, Error> {
        choose(&mountinfo::mounts(mountinfo), &[], |_| {
            Ok(controllers.to_owned())
        })
    }

    /// The directories of the cgroup `relative` (`encamp.slice/share.slice/x.scope`) in every hierarchy.
    pub fn paths(&self, relative: &Path) -> Paths {
        let relative = relative.strip_prefix("/").unwrap_or(relative);
        let below =
            |(controller, mount): (&Controller, &PathBuf)| (*controller, mount.join(relative));
        Paths {
            unified: self.unified.as_ref().map(|mount| mount.join(relative)),
            v1: self.v1.iter().map(below).collect(),
            shared: BTreeMap::new(),
        }
    }
}

fn choose(
    mounts: &[Mount],
    disabled: &[&str],
    controllers: impl Fn(&Path) -> Result<String, Error>,
) -> Result<Host, Error> {
    let unified =
        mountinfo::best(mounts, |hierarchy| *hierarchy == Hierarchy::Unified).map(Path::to_owned);
    let v1 = v1_mounts(mounts);
    if v1.contains_key(&Controller::Memory) && v1.contains_key(&Controller::Cpu) {
        if unified.is_none() && !v1.contains_key(&Controller::Freezer) {
            return Err(no_hierarchy(
                "memory and cpu are on v1, but there is neither the freezer nor a cgroup2 mount",
            ));
        }
        return Ok(Host {
            version: Version::V1,
            unified,
            v1,
        });
    }
    let Some(mount) = &unified else {
        return Err(no_hierarchy(&missing_on_v1(&v1, disabled)));
    };
    let available = controllers(mount)?;
    let lacks = |name: &&str| !available.split_whitespace().any(|found| found == *name);
    let missing: Vec<_> = ["cpu", "memory"].into_iter().filter(lacks).collect();
    if !missing.is_empty() {
        return Err(no_hierarchy(&missing_on_v2(mount, &missing, &v1, disabled)));
    }
    Ok(Host {
        version: Version::V2,
        unified,
        v1: BTreeMap::new(),
    })
}

fn v1_mounts(mounts: &[Mount]) -> BTreeMap<Controller, PathBuf> {
    let mount = |controller: Controller| {
        let holds = |h: &Hierarchy| matches!(h, Hierarchy::V1(controllers) if controllers.contains(&controller));
        Some((controller, mountinfo::best(mounts, holds)?.to_owned()))
    };
    Controller::ALL.into_iter().filter_map(mount).collect()
}

fn no_hierarchy(reason: &str) -> Error {
    Error::NoHierarchy {
        reason: reason.to_owned(),
    }
}

fn missing_on_v1(v1: &BTreeMap<Controller, PathBuf>, disabled: &[&str]) -> String {
    if v1.is_empty() {
        return "there is no cgroup mount at all (mount -t cgroup2 cgroup2 /sys/fs/cgroup makes one)".to_owned();
    }
    let missing = [Controller::Cpu, Controller::Memory]
        .into_iter()
        .filter(|c| !v1.contains_key(c));
    let missing: Vec<_> = missing.map(Controller::name).collect();
    format!(
        "no v1 mount has {}, and there is no cgroup2 mount{}",
        missing.join(" and "),
        hint(&missing, disabled)
    )
}

fn missing_on_v2(
    mount: &Path,
    missing: &[&str],
    v1: &BTreeMap<Controller, PathBuf>,
    disabled: &[&str],
) -> String {
    let names = missing.join(" and ");
    let elsewhere = match [Controller::Cpu, Controller::Memory]
        .iter()
        .find_map(|c| Some((c.name(), v1.get(c)?)))
    {
        Some((name, point)) => format!(
            "; {name} is on v1 at {}, and they must be on one version",
            point.display()
        ),
        None => String::new(),
    };
    format!(
        "cgroup2 at {} does not have {names}{elsewhere}{}",
        mount.display(),
        hint(missing, disabled)
    )
}

fn hint(missing: &[&str], disabled: &[&str]) -> String {
    let off: Vec<_> = missing
        .iter()
        .copied()
        .filter(|name| disabled.contains(name))
        .collect();
    match off.is_empty() {
        true => String::new(),
        false => format!(
            "; the kernel was started with {} disabled (cgroup_disable=)",
            off.join(" and ")
        ),
    }
}

/// Controllers whose last column in `/proc/cgroups`, `enabled`, is 0.
fn disabled(text: &str) -> Vec<&str> {
    let columns = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace());
    columns
        .filter_map(|mut columns| columns.next().filter(|_| columns.last() == Some("0")))
        .collect()
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]
mod tests {
    use super::*;

    const V2: &str = "\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
";
    const V1: &str = "\
31 22 0:27 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
33 31 0:29 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd
34 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:15 - cgroup cgroup rw,cpu,cpuacct
35 31 0:31 / /sys/fs/cgroup/cpuset rw shared:16 - cgroup cgroup rw,cpuset,clone_children
36 31 0:32 / /sys/fs/cgroup/memory rw shared:17 - cgroup cgroup rw,memory
37 31 0:33 / /sys/fs/cgroup/freezer rw shared:18 - cgroup cgroup rw,freezer
38 31 0:34 / /sys/fs/cgroup/net_cls,net_prio rw shared:19 - cgroup cgroup rw,net_cls,net_prio
";
    const BARE_V2: &str =
        "32 31 0:28 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw,nsdelegate\n";

    fn reason(mountinfo: &str, controllers: &str) -> String {
        Host::parse(mountinfo, controllers).unwrap_err().to_string()
    }

    #[test]
    fn a_v2_host_has_one_hierarchy() {
        let host = Host::parse(V2, "cpuset cpu io memory hugetlb pids rdma misc\n").unwrap();
        assert_eq!(host.version, Version::V2);
        let paths = host.paths(Path::new("a.slice/b.scope"));
        assert_eq!(
            paths.unified.unwrap(),
            Path::new("/sys/fs/cgroup/a.slice/b.scope")
        );
        assert!(paths.v1.is_empty() && paths.shared.is_empty());
    }

    #[test]
    fn a_v1_host_has_a_directory_for_each_controller() {
        let host = Host::parse(V1, "").unwrap();
        assert_eq!((host.version, host.unified.as_deref()), (Version::V1, None));
        let names: Vec<_> = host.v1.keys().map(|c| c.name()).collect();
        assert_eq!(names, ["cpu", "cpuacct", "cpuset", "freezer", "memory"]);
    }

    #[test]
    fn controllers_mounted_together_share_their_directory() {
        let paths = Host::parse(V1, "").unwrap().paths(Path::new("/a/b"));
        assert_eq!(
            paths.v1[&Controller::Cpu],
            Path::new("/sys/fs/cgroup/cpu,cpuacct/a/b")
        );
        assert_eq!(paths.v1[&Controller::Cpu], paths.v1[&Controller::Cpuacct]);
    }

    #[test]
    fn a_hybrid_host_is_v1_with_a_bare_v2_hierarchy() {
        let host = Host::parse(&format!("{V1}{BARE_V2}"), "").unwrap();
        assert_eq!(host.version, Version::V1);
        assert_eq!(
            host.paths(Path::new("a")).unified.unwrap(),
            Path::new("/sys/fs/cgroup/unified/a")
        );
    }

    #[test]
    fn v1_leftovers_beside_a_v2_host_are_not_used() {
        let leftovers = "38 31 0:34 / /sys/fs/cgroup/net rw - cgroup cgroup rw,devices\n";
        assert!(
            Host::parse(&format!("{V2}{leftovers}"), "cpu memory")
                .unwrap()
                .v1
                .is_empty()
        );
    }

    #[test]
    fn nothing_mounted_is_told() {
        assert!(
            reason("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "").contains("no cgroup mount at all")
        );
    }

    #[test]
    fn a_named_hierarchy_alone_is_nothing() {
        let text = "33 31 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n";
        assert!(reason(text, "").contains("no cgroup mount at all"));
    }

    #[test]
    fn missing_controllers_are_named() {
        assert!(reason(V2, "cpuset io").contains("/sys/fs/cgroup does not have cpu and memory"));
        assert!(
            reason("36 1 0:32 / /m rw - cgroup cgroup rw,memory\n", "")
                .contains("no v1 mount has cpu, and")
        );
        let split = format!("{BARE_V2}36 31 0:32 / /m rw - cgroup cgroup rw,memory\n");
        assert!(reason(&split, "cpu").contains("does not have memory; memory is on v1 at /m"));
    }

    #[test]
    fn v1_without_a_way_to_kill_is_refused() {
        let text: String = V1
            .lines()
            .filter(|l| !l.contains("freezer"))
            .map(|l| format!("{l}\n"))
            .collect();
        assert!(reason(&text, "").contains("neither the freezer"));
        assert!(Host::parse(&format!("{text}{BARE_V2}"), "").is_ok());
    }

    #[test]
    fn a_controller_disabled_at_boot_is_told() {
        let text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\nmemory\t0\t1\t0\n";
        assert_eq!(disabled(text), ["memory"]);
        let error = choose(&mountinfo::mounts(V2), &["memory"], |_| Ok("cpu".into())).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("started with memory disabled (cgroup_disable=)")
        );
    }
}
