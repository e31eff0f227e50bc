//! Devices of tasks that are started again.
//!
//! Nomad's client reserves a task's devices once in an allocation's life. After a restart of the agent it hands the task its devices'
//! environment still, but neither the devices nor what their plugins mount. So they are kept with the task's handle, which comes back
//! when the task is recovered, and are there for the next start of the same task of the same allocation.
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::task_config::{Device, Mount, TaskConfig};

/// What the client tells once. Empty without devices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reserved {
    alloc_dir: PathBuf,
    task: String,
    devices: Vec<Device>,
    mounts: Vec<Mount>,
}

impl Reserved {
    /// Of a task that is started.
    pub(crate) fn of(task: &TaskConfig) -> Reserved {
        if task.devices.is_empty() {
            return Reserved::default();
        }
        Reserved {
            alloc_dir: task.alloc_dir.clone(),
            task: task.name.clone(),
            devices: task.devices.clone(),
            mounts: task.mounts.clone(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }
}

/// Of all tasks with devices that this process has started or recovered.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<BTreeMap<(PathBuf, String), Reserved>>);

impl Remembered {
    pub(crate) fn keep(&self, reserved: &Reserved) {
        if reserved.is_empty() {
            return;
        }
        let mut all = self.lock();
        // Allocations come and go; one whose directory is gone starts nothing any more.
        all.retain(|(alloc_dir, _), _| alloc_dir.exists());
        let key = (reserved.alloc_dir.clone(), reserved.task.clone());
        all.insert(key, reserved.clone());
    }

    /// The task with what the client has forgotten of it: its devices, and those mounts of its first start whose places are free now.
    pub(crate) fn restore<'a>(&self, task: &'a TaskConfig) -> Cow<'a, TaskConfig> {
        let key = (task.alloc_dir.clone(), task.name.clone());
        let Some(known) = self.lock().get(&key).cloned() else {
            return Cow::Borrowed(task);
        };
        if !task.devices.is_empty() {
            return Cow::Borrowed(task);
        }
        let mut whole = task.clone();
        let is_free = |mount: &Mount| {
            let mut there = task.mounts.iter();
            !there.any(|other| other.task_path == mount.task_path)
        };
        whole
            .mounts
            .extend(known.mounts.into_iter().filter(is_free));
        whole.devices = known.devices;
        Cow::Owned(whole)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(PathBuf, String), Reserved>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(devices: &[&str], mounts: &[&str]) -> TaskConfig {
        let device = |path: &&str| Device {
            task_path: (*path).to_owned(),
            host_path: path.into(),
            cgroup_permissions: "rw".into(),
        };
        let mount = |path: &&str| Mount {
            task_path: (*path).to_owned(),
            host_path: "/srv".into(),
            ..Mount::default()
        };
        TaskConfig {
            name: "web".into(),
            alloc_dir: std::env::temp_dir(),
            devices: devices.iter().map(device).collect(),
            mounts: mounts.iter().map(mount).collect(),
            ..TaskConfig::default()
        }
    }

    #[test]
    fn what_the_client_forgets_is_there_at_the_next_start() {
        let remembered = Remembered::default();
        let first = task(&["/dev/full"], &["/driver", "/data"]);
        remembered.keep(&Reserved::of(&first));
        let next = task(&[], &["/data"]);
        let whole = remembered.restore(&next);
        assert_eq!(whole.devices, first.devices);
        let places: Vec<_> = whole.mounts.iter().map(|mount| &mount.task_path).collect();
        assert_eq!(places, ["/data", "/driver"]);
    }

    #[test]
    fn what_the_client_tells_and_other_tasks_stay_as_they_are() {
        let remembered = Remembered::default();
        remembered.keep(&Reserved::of(&task(&["/dev/full"], &[])));
        let told = task(&["/dev/zero"], &["/data"]);
        assert_eq!(*remembered.restore(&told), told);
        let other = TaskConfig {
            name: "other".into(),
            ..task(&[], &[])
        };
        assert_eq!(*remembered.restore(&other), other);
        remembered.keep(&Reserved::of(&other));
        assert_eq!(*remembered.restore(&other), other);
    }

    #[test]
    fn an_allocation_that_is_gone_is_forgotten() {
        let remembered = Remembered::default();
        let gone = TaskConfig {
            alloc_dir: "/nonexistent/alloc".into(),
            ..task(&["/dev/full"], &[])
        };
        remembered.keep(&Reserved::of(&gone));
        remembered.keep(&Reserved::of(&task(&["/dev/full"], &[])));
        assert_eq!(remembered.lock().len(), 1);
    }
}
