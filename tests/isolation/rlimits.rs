//! What a task inherits of whoever launches: getrlimit(2), nice(2) and the scheduling policy, as from Nomad's agent. A process of ours on the way
//! changes none of it.
use std::process::Command;

use serde_json::Value;
use suite::need::require;
use suite::{Outcome, Running, World};

use crate::EXEC_NEEDS;

const DESCRIPTORS: &str = "123";
const NICE: i64 = 5;
/// SCHED_BATCH, and the field of proc_pid_stat(5) that says so, counted after the name.
const BATCH: &str = "3";
const POLICY_FIELD: usize = 38;

/// `encamp run` by a shell that does something first.
fn after(world: &World, driver: &str, first: &str, args: &[&str]) -> Outcome {
    let inner = world.command(&world.job(driver, args));
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("{first} \"$@\""), "sh"]);
    command.arg(inner.get_program()).args(inner.get_args());
    Running::start(&mut command).wait()
}

fn limit<'a>(facts: &'a Value, name: &str) -> &'a Value {
    &facts["limits"][name]
}

#[test]
fn the_launchers_limits_are_the_tasks() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in crate::DRIVERS {
        let first = format!("ulimit -n {DESCRIPTORS}; ulimit -c 0; exec");
        let facts = after(&world, driver, &first, &["facts"]).exited(0).line();
        let descriptors = limit(&facts, "Max open files").to_string();
        assert!(
            descriptors.contains(DESCRIPTORS),
            "{driver} {}",
            facts["limits"]
        );
        let core = limit(&facts, "Max core file size").to_string();
        assert!(core.contains("\"0\""), "{driver} {}", facts["limits"]);
    }
}

#[test]
fn the_launchers_nice_value_and_policy_are_the_tasks() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in crate::DRIVERS {
        let first = format!("exec nice -n {NICE} chrt -b 0");
        let args = ["facts", ",", "read", "/proc/self/stat"];
        let lines = after(&world, driver, &first, &args).exited(0).lines();
        assert_eq!(lines[0]["nice"].as_i64(), Some(NICE), "{driver}");
        let stat = lines[1]["text"].as_str().unwrap();
        let fields = stat.rsplit_once(") ").unwrap().1;
        assert_eq!(
            fields.split(' ').nth(POLICY_FIELD),
            Some(BATCH),
            "{driver}: {stat}"
        );
    }
}
