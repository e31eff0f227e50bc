//! What a task sees and what it is refused, asked from inside by the probe, under both drivers, as root; one module per kernel facility.
//!
//! Expected values are constants at the top of each module.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod attacks;
mod attacks_exec;
mod bad_input_exec;
mod capabilities;
mod cgroup;
mod chroot_env;
mod crash;
mod devices;
mod dns;
mod enter;
mod environment;
mod exits;
mod grants;
mod hostname;
mod identity;
mod kernel_files;
mod landlock;
mod leaks;
mod lookup;
mod modes;
mod namespaces;
mod network;
mod pivot;
mod poor_hosts;
mod root;
mod signals;
mod stats;
mod stdio;
mod surroundings;
mod tries;
mod users;
mod volumes;

use serde_json::Value;
use suite::{Job, Need, World};

/// Both drivers.
const DRIVERS: [&str; 2] = ["exec", "exec2"];

/// What the probe prints once it is ready to catch or ignore a signal.
const CATCHING: &str = "\"verb\":\"catch\"}";

/// What every test here needs.
const NEEDS: &[Need] = &[Need::Root, Need::Cgroup, Need::Landlock];

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
