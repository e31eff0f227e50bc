//! What a task sees and what it is refused, asked from inside by the probe, under both drivers, as root; one module per kernel facility.
//!
//! Expected values are constants at the top of each module.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod attacks;
mod attacks_exec;
mod attacks_exec2;
mod bad_input_exec;
mod bad_input_exec2;
mod call;
mod capabilities;
mod cgroup;
mod chroot_env;
mod cores;
mod crash;
mod defaults;
mod devices;
mod devices_cgroup;
mod dns;
mod enter;
mod environment;
mod exec2_task;
mod exits;
mod few_descriptors;
mod grants;
mod handed;
mod host_volumes;
mod hostname;
mod identity;
mod kernel_files;
mod keyring;
mod landlock;
mod landlock_network;
mod leaks;
mod limits_cpu;
mod limits_memory;
mod limits_pids;
mod lookup;
mod modes;
mod namespaces;
mod network;
mod operator;
mod pivot;
mod poor_hosts;
mod ramdisk;
mod rlimits;
mod root;
mod seccomp;
mod signals;
mod stats;
mod stdio;
mod surroundings;
mod systemd;
mod tries;
mod unveil;
mod users;
mod volumes;

use serde_json::Value;
use suite::{Job, Need, World};

/// Both drivers; where there is no Landlock, `exec` alone.
const DRIVERS: Drivers = Drivers;

/// The drivers that can run here.
struct Drivers;

impl IntoIterator for Drivers {
    type Item = &'static str;
    type IntoIter = std::vec::IntoIter<&'static str>;

    fn into_iter(self) -> Self::IntoIter {
        let mut drivers = vec!["exec"];
        drivers.extend(Need::Landlock.missing().is_none().then_some("exec2"));
        drivers.into_iter()
    }
}

/// What the probe prints once it is ready to catch or ignore a signal.
const CATCHING: &str = "\"verb\":\"catch\"}";

/// What a test needs that runs tasks of `exec2`.
const NEEDS: &[Need] = &[
    Need::Root,
    Need::Cgroup,
    Need::DetachedMounts,
    Need::Landlock,
];

/// What a test needs that runs tasks of `exec`, or of each of [`DRIVERS`].
const EXEC_NEEDS: &[Need] = &[Need::Root, Need::Cgroup, Need::DetachedMounts];

/// What the probe sees when it runs as this job says.
#[track_caller]
fn facts(world: &World, job: &Job) -> Value {
    world.run(job).exited(0).line()
}

/// The errno that each attempt of the probe met; `None` where it succeeded.
#[track_caller]
fn errnos(world: &World, job: &Job) -> Vec<Option<i64>> {
    world
        .run(job)
        .exited(0)
        .lines()
        .iter()
        .map(|line| line["errno"].as_i64())
        .collect()
}

/// A list of strings.
fn strings(value: &Value) -> Vec<String> {
    let items = value
        .as_array()
        .unwrap_or_else(|| panic!("a list, not {value}"));
    items
        .iter()
        .map(|item| item.as_str().unwrap_or_default().to_owned())
        .collect()
}
