//! `memory` and `memory_max`, as the kernel has them and as a task meets them. Swap is off where there is a maximum.
use suite::World;
use suite::driven::{Driven, KINDS, Live};
use suite::need::require;

use crate::NEEDS;

const MIB: i64 = 1 << 20;
/// What v1 says where there is no limit: the largest number of pages.
const NO_LIMIT: i64 = i64::MAX / 4096 * 4096;

/// `memory`, `memory_max`, and what follows from them in MiB; `None`: no limit.
const CASES: [(i64, i64, Limits); 4] = [
    (64, 0, limits(Some(64), 0)),
    (32, 96, limits(Some(96), 32)),
    (48, 48, limits(Some(48), 48)),
    (32, -1, limits(None, 32)),
];

struct Limits {
    max: Option<i64>,
    low: i64,
}

const fn limits(max: Option<i64>, low: i64) -> Limits {
    Limits { max, low }
}

/// The cgroup of a running task, in the hierarchy that has the memory controller.
fn file(live: &Live<'_>, v1: &str, v2: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{}/cgroup", live.pid())).unwrap();
    let path = |mark: &str| {
        text.lines()
            .find_map(|line| Some(line.split_once(mark)?.1.to_owned()))
    };
    let file = match path(":memory:") {
        Some(path) => format!("/sys/fs/cgroup/memory{path}/{v1}"),
        None => format!("/sys/fs/cgroup{}/{v2}", path("0::").unwrap()),
    };
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    text.trim().to_owned()
}

fn is_v1() -> bool {
    std::path::Path::new("/sys/fs/cgroup/memory/cgroup.procs").exists()
}

#[test]
fn the_kernel_has_what_the_job_asks_for() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        for (memory, memory_max, Limits { max, low }) in CASES {
            let mut driven = Driven::new(&world, kind, &["catch", "INT", "0"]);
            driven.task.resources.memory_mb = memory;
            driven.task.resources.memory_max_mb = memory_max;
            let live = driven.start();
            let _ = live.wait_for_stdout(crate::CATCHING);
            let case = format!("{} {memory} {memory_max}", kind.name());
            let hard = file(&live, "memory.limit_in_bytes", "memory.max");
            let soft = file(&live, "memory.soft_limit_in_bytes", "memory.low");
            let number = |max: Option<i64>| match (max, is_v1()) {
                (Some(max), _) => (max * MIB).to_string(),
                (None, true) => NO_LIMIT.to_string(),
                (None, false) => "max".to_owned(),
            };
            assert_eq!(hard, number(max), "{case}");
            // Nothing is reserved without memory_max; v1 then says that there is no soft limit.
            let reserved = if low == 0 && is_v1() { None } else { Some(low) };
            assert_eq!(soft, number(reserved), "{case}");
            let _ = live.stop();
        }
    }
}

#[test]
fn swap_is_off_where_there_is_a_maximum() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::new(&world, kind, &["catch", "INT", "0"]);
        driven.task.resources.memory_max_mb = 96;
        let live = driven.start();
        let _ = live.wait_for_stdout(crate::CATCHING);
        if live
            .task()
            .inspect()
            .unwrap()
            .refusals
            .iter()
            .any(|refusal| refusal.contains("swap"))
        {
            // A kernel without swap accounting says so.
            let _ = live.stop();
            continue;
        }
        let swap = file(&live, "memory.memsw.limit_in_bytes", "memory.swap.max");
        let none = if is_v1() {
            (96 * MIB).to_string()
        } else {
            "0".to_owned()
        };
        assert_eq!(swap, none, "{}", kind.name());
        let _ = live.stop();
    }
}

#[test]
fn memory_max_is_where_a_task_is_killed() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        for (memory, memory_max, eaten, code) in [
            (32, 0, "96", 137),
            (32, 96, "64", 0),
            (32, 96, "160", 137),
            (32, -1, "160", 0),
        ] {
            let mut driven = Driven::new(&world, kind, &["eat-memory", eaten]);
            driven.task.resources.memory_mb = memory;
            driven.task.resources.memory_max_mb = memory_max;
            let live = driven.start();
            let outcome = live.wait();
            assert_eq!(
                outcome.code,
                Some(code),
                "{} {memory} {memory_max} {eaten}: {outcome}",
                kind.name()
            );
        }
    }
}
