//! What a task uses, read from outside: every field that Nomad's `exec` tells, and each process.
use std::thread;
use std::time::{Duration, Instant};

use driver::TaskStats;
use suite::driven::{KINDS, Live};
use suite::need::require;
use suite::run::PATIENCE;
use suite::{Driven, World};

use crate::NEEDS;

/// Writes 16 MiB to a file, which stay in the page cache, and keeps a processor busy.
const BUSY: &str =
    "dd if=/dev/zero of=\"$0\" bs=1M count=16 2>/dev/null; echo written; while :; do :; done";
const WRITTEN: u64 = 16 << 20;

#[track_caller]
fn eventually(live: &Live<'_>, wanted: impl Fn(&TaskStats) -> bool) -> TaskStats {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let stats = live.task().stats().unwrap();
        if wanted(&stats) {
            return stats;
        }
        assert!(Instant::now() < deadline, "{stats:?}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn memory_and_processor_time_are_measured_while_the_task_runs() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::of(&world, kind, "/bin/sh", &[]);
        let file = driven.inside("local/file");
        driven.args(&["-c", BUSY, &file]);
        let live = driven.start();
        let _ = live.wait_for_stdout("written");
        let stats = eventually(&live, |stats| stats.percent.unwrap_or_default() > 1.0);
        assert!(stats.cache_bytes.unwrap() >= WRITTEN, "{kind:?} {stats:?}");
        assert!(stats.usage_bytes.unwrap() >= WRITTEN, "{kind:?} {stats:?}");
        assert!(stats.rss_bytes.is_some() && stats.swap_bytes.is_some());
        assert!(stats.mapped_file_bytes.is_some(), "{kind:?} {stats:?}");
        assert!(stats.user_mode_percent.is_some() && stats.system_mode_percent.is_some());
        assert!(stats.total_ticks.unwrap() > 0.0);
        assert!(stats.throttled_periods.is_some() && stats.throttled_nsec.is_some());
        assert!(stats.timestamp.is_some());
        let _ = live.stop();
    }
}

#[test]
fn each_process_is_listed_by_its_pid_on_the_host() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let driven = Driven::of(
            &world,
            kind,
            "/bin/sh",
            &["-c", "sleep 600 & echo started; while :; do :; done"],
        );
        let live = driven.start();
        let _ = live.wait_for_stdout("started");
        let pid = live.pid();
        let busy = eventually(&live, |stats| {
            stats
                .processes
                .get(&pid)
                .is_some_and(|process| process.percent > 1.0)
        });
        assert!(busy.processes[&pid].rss_bytes > 0, "{kind:?} {busy:?}");
        assert!(busy.processes.len() >= 2, "{kind:?} {busy:?}");
        let _ = live.stop();
    }
}

#[test]
fn of_a_task_that_has_ended_nothing_absurd_is_told() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let driven = Driven::new(&world, kind, &["exit", "0"]);
        let live = driven.start();
        let _ = live.task().wait().unwrap();
        if let Ok(stats) = live.task().stats() {
            assert!(stats.percent.unwrap_or_default() < 10_000.0, "{stats:?}");
            assert!(stats.processes.is_empty(), "{stats:?}");
        }
    }
}
