//! A launcher with too few descriptors: whichever opening fails, there is no task, one error, and nothing left (Go's CVE-2021-44717 sent the output of
//! such a start to somebody else's descriptor).
use std::process::Command;
use std::time::Duration;

use suite::need::require;
use suite::{HostState, Outcome, Running, World};

use crate::EXEC_NEEDS;

/// Fewer than this and not even the dynamic linker can open its libraries beside the shell's own.
const FEWEST: u64 = 5;
/// By far enough.
const PLENTY: u64 = 200;

/// The host's fault.
const HOST_FAILED: i32 = 125;

/// What the task says when it runs.
const SAID: &str = "the task has run";

fn with(world: &World, driver: &str, descriptors: u64) -> Outcome {
    let inner = world.command(&world.job(driver, &["say", SAID]));
    let mut command = Command::new("/bin/sh");
    let script = format!("ulimit -n {descriptors} && exec \"$@\"");
    command.args(["-c", &script, "sh"]);
    command.arg(inner.get_program()).args(inner.get_args());
    Running::start(&mut command).wait()
}

#[test]
fn a_start_with_too_few_descriptors_is_an_error_and_leaves_nothing() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::alone();
    let before = HostState::take();
    for driver in crate::DRIVERS {
        let mut enough = None;
        for descriptors in FEWEST..PLENTY {
            let outcome = with(&world, driver, descriptors);
            if outcome.code == Some(0) {
                assert_eq!(outcome.stdout.trim(), SAID, "{descriptors}: {outcome}");
                enough = Some(descriptors);
                break;
            }
            assert_eq!(
                outcome.code,
                Some(HOST_FAILED),
                "{driver} {descriptors}: {outcome}"
            );
            assert_eq!(outcome.stdout, "", "{driver} {descriptors}: {outcome}");
            assert!(
                outcome.stderr.contains("Too many open files"),
                "{driver} {descriptors}: {outcome}"
            );
        }
        assert!(
            enough.is_some_and(|enough| enough > FEWEST + 10),
            "{driver} {enough:?}"
        );
    }
    before.assert_restored(Duration::from_secs(5));
}
