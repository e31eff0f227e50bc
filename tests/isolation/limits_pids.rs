//! `pids.max`: a fork bomb ends at the task's own limit.
use std::time::Duration;

use suite::driven::{Driven, KINDS};
use suite::need::require;
use suite::{HostState, World};

use crate::NEEDS;

/// Processes and threads together.
const MOST: u64 = 4096;
/// More than are let be, and where the probe ends by itself.
const WANTED: &str = "6000";
/// fork(2), pthread_create(3): EAGAIN.
const REFUSED: i64 = 11;

#[test]
fn a_fork_bomb_ends_at_the_limit_and_leaves_nothing() {
    if !require(NEEDS) {
        return;
    }
    let world = World::alone();
    let before = HostState::take();
    for kind in KINDS {
        let mut driven = Driven::new(&world, kind, &["threads", WANTED]);
        // Their stacks are charged.
        driven.task.resources.memory_mb = 1024;
        let line = driven.run().exited(0).line();
        assert_eq!(line["errno"].as_i64(), Some(REFUSED), "{line}");
        // The task's own processes count too: init of exec2, and the probe.
        let made = line["made"].as_u64().unwrap();
        assert!((MOST - 8..MOST).contains(&made), "{} {made}", kind.name());
    }
    before.assert_restored(Duration::from_secs(10));
}
