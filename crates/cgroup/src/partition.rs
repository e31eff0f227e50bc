//! Who may use which processors: cgroups with processors of their own, and all others.
//!
//! ```text
//! v2   <parent>/share.slice        cpuset.cpus: what nobody reserves; <scope>.scope below it has what its parent has
//!      <parent>/reserve.slice      all; <scope>.scope below it: `Limits::cpuset_cpus`
//! v1   <cpuset>/<parent>/share     cpuset.cpus: what nobody reserves; the processes themselves
//!      <cpuset>/<parent>/reserve   all; <scope> below it: `Limits::cpuset_cpus`
//! ```
//! The kernel moves processes of a partition off a processor as soon as the partition loses it. Who has reserved what is the caller's to know,
//! and to change under a lock: two callers with different opinions both succeed.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{Controller, CpuSet, Error, Host, Paths, Version, create, file, procs};

/// Which processors a cgroup runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partition {
    /// Those that nobody reserves, with all others of this partition.
    Share,
    /// Its own: [`Limits::cpuset_cpus`](crate::Limits::cpuset_cpus).
    Reserve,
}

impl Partition {
    /// The name of its directory.
    pub(crate) fn name(self, version: Version) -> &'static str {
        match (self, version) {
            (Partition::Share, Version::V1) => "share",
            (Partition::Share, Version::V2) => "share.slice",
            (Partition::Reserve, Version::V1) => "reserve",
            (Partition::Reserve, Version::V2) => "reserve.slice",
        }
    }
}

impl Host {
    /// The processors that cgroups of this host can be given: what the root of the cpuset hierarchy has now.
    ///
    /// # Errors
    /// [`Error::NoHierarchy`] where processors cannot be reserved: no cpuset controller, or one that is mounted together with another, where
    /// a process cannot be in the share.
    pub fn usable_cpus(&self) -> Result<CpuSet, Error> {
        let root = self.cpuset_mount()?;
        let names = match self.version {
            Version::V2 => ["cpuset.cpus.effective"].as_slice(),
            // cpuset.cpus of the v1 root is what is online; a kernel with cpuset_v2_mode tells so in the other.
            Version::V1 => &["cpuset.effective_cpus", "cpuset.cpus"],
        };
        for name in names {
            if let Some(text) = file::read(&root.join(name))? {
                return text.parse();
            }
        }
        Err(no_cpuset(format!("{} has no cpuset files", root.display())))
    }

    /// Lets cgroups of [`Partition::Share`] run on these processors only, the running ones at once; makes the partitions where they are
    /// missing. Writes what differs, so that it can be repeated at any time.
    ///
    /// A partition that was made anew has all processors: whoever has reserved some calls this before each
    /// [`Cgroup::create`](crate::Cgroup::create) in the share, and after each change of what is reserved: before a cgroup of
    /// [`Partition::Reserve`] is entered, and after it is removed. An empty set cannot be written (on v2 it means the parent's processors): it is
    /// taken while nobody is in the share, and the caller lets nobody in.
    ///
    /// # Errors
    /// As [`Host::usable_cpus`]; [`Error::Unusable`] when the set is empty and processes are in the share, or when a processor is not usable;
    /// when the kernel refuses a directory or a value.
    pub fn share_cpus(&self, parent: Option<&str>, cpus: &CpuSet) -> Result<(), Error> {
        let usable = self.usable_cpus()?;
        let parent = self.cpuset_mount()?.join(self.parent(parent)?);
        let share = parent.join(Partition::Share.name(self.version));
        let reserve = parent.join(Partition::Reserve.name(self.version));
        if !cpus.is_subset(&usable) {
            let absent = cpus.difference(&usable);
            let reason = format!("this host has no processors {absent}, only {usable}");
            return Err(Error::unusable(&share, &reason));
        }
        for dir in [&share, &reserve] {
            create::create(&self.cpuset_paths(dir))?;
        }
        if self.version == Version::V1 {
            self.widen(&reserve, &usable)?;
        }
        match (
            cpus.is_empty(),
            procs::populated(&self.cpuset_paths(&share))?,
        ) {
            (false, _) => set(&share, cpus),
            (true, false) => Ok(()),
            (true, true) => {
                let reason = "its processes would be left without a processor";
                Err(Error::unusable(&share, reason))
            }
        }
    }

    /// Gives a directory and those above it back what went offline for a moment: a v1 kernel takes that away for ever (cpuset(7), "hot plug").
    fn widen(&self, dir: &Path, cpus: &CpuSet) -> Result<(), Error> {
        let mount = self.cpuset_mount()?;
        let below: Vec<_> = dir.ancestors().take_while(|dir| *dir != mount).collect();
        for dir in below.into_iter().rev() {
            set(dir, &present(dir)?.union(cpus))?;
        }
        Ok(())
    }

    fn cpuset_mount(&self) -> Result<&Path, Error> {
        if self.version == Version::V2 {
            return self.top();
        }
        let Some(mount) = self.v1.get(&Controller::Cpuset) else {
            return Err(no_cpuset("no v1 mount has it".to_owned()));
        };
        if self.v1.values().filter(|other| *other == mount).count() > 1 {
            let reason = format!("at {} it is mounted with others", mount.display());
            return Err(no_cpuset(reason));
        }
        Ok(mount)
    }

    fn cpuset_paths(&self, dir: &Path) -> Paths {
        match self.version {
            Version::V2 => Paths {
                unified: Some(dir.to_owned()),
                ..Paths::default()
            },
            Version::V1 => Paths {
                v1: BTreeMap::from([(Controller::Cpuset, dir.to_owned())]),
                ..Paths::default()
            },
        }
    }

    /// The path to hand over for a standalone cgroup.
    pub(crate) fn handed(
        &self,
        partition: Partition,
        parent: &Path,
        scope: &str,
    ) -> Result<PathBuf, Error> {
        let dir = self.top()?.join(parent).join(partition.name(self.version));
        Ok(match (self.version, partition) {
            (Version::V2, _) => dir.join(format!("{scope}.scope")),
            (Version::V1, Partition::Share) => dir,
            (Version::V1, Partition::Reserve) => dir.join(scope),
        })
    }
}

fn no_cpuset(why: String) -> Error {
    Error::NoHierarchy {
        reason: format!("processors cannot be reserved without the cpuset controller: {why}"),
    }
}

fn present(dir: &Path) -> Result<CpuSet, Error> {
    file::read(&dir.join("cpuset.cpus"))?
        .unwrap_or_default()
        .parse()
}

fn set(dir: &Path, cpus: &CpuSet) -> Result<(), Error> {
    match present(dir)? == *cpus {
        true => Ok(()),
        false => file::write(&dir.join("cpuset.cpus"), &cpus.to_string()),
    }
}
