//! Attempts that the probe, being safe code, cannot make: `tries.c`, linked statically, placed in a task's own directory.
use std::path::PathBuf;
use std::process::Command;

use driver::Kind;
use serde_json::Value;
use suite::binaries::c_program;
use suite::{Driven, Need, Outcome, World};

/// What its users need beside what every test here needs.
pub(crate) const NEEDS: &[Need] = &[Need::Root, Need::Cgroup, Need::DetachedMounts, Need::Cc];

/// Where an `exec` task finds it.
const INSIDE: &str = "/local/tries";

fn program() -> PathBuf {
    c_program("isolation/tries.c")
}

/// An `exec` task that makes these attempts.
pub(crate) fn exec<'a>(world: &'a World, attempts: &[&str]) -> Driven<'a> {
    let driven = Driven::of(world, Kind::Exec, INSIDE, attempts);
    std::fs::copy(program(), driven.task_dir().join("local/tries")).unwrap();
    driven
}

/// What is said on the host, by a process of this test's.
pub(crate) fn on_the_host(attempts: &[&str]) -> Vec<Value> {
    let output = Command::new(program()).args(attempts).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The errno of each attempt; `None` where it succeeded.
#[track_caller]
pub(crate) fn errnos(lines: &[Value]) -> Vec<Option<i64>> {
    lines.iter().map(|line| line["errno"].as_i64()).collect()
}

/// The lines of a task that made its attempts.
#[track_caller]
pub(crate) fn lines(outcome: Outcome) -> Vec<Value> {
    outcome.exited(0).lines()
}
