//! Against the kernel of this machine, as root: every cgroup is made below `encamp-test-<pid>-<n>` and removed again.
//!
//! Without root or a usable hierarchy each test says so and passes, unless `ENCAMP_TEST_REQUIRE` (a comma list with
//! `root`, `cgroup` or `all`) says that it must not.
#![deny(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use cgroup::{Bound, Cgroup, Controller, Error, Limits, Paths, Quota};
use world::{LIMIT, World, enter, everywhere, text, wait_for_sleep, wait_until};

const MIB: u64 = 1 << 20;

#[test]
fn a_process_is_seen_killed_and_its_cgroup_removed() {
    let Some(world) = World::new() else { return };
    let cgroup = world.cgroup("id.sleep");
    assert!(
        everywhere(cgroup.paths())
            .iter()
            .all(|dir| dir.join("cgroup.procs").exists())
    );
    let mut child = enter(&cgroup, "exec sleep 1000");
    wait_for_sleep(&child);
    assert_eq!(cgroup.processes().unwrap(), [child.id() as i32]);
    cgroup.empty(LIMIT).unwrap();
    assert_eq!(cgroup.processes().unwrap(), []);
    cgroup.remove().unwrap();
    assert!(everywhere(cgroup.paths()).iter().all(|dir| !dir.exists()));
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap()),
        Some(9)
    );
    cgroup.empty(LIMIT).unwrap();
    cgroup.remove().unwrap();
}

#[test]
fn create_takes_what_exists_and_sweep_removes_only_what_is_unused() {
    let Some(world) = World::new() else { return };
    let cgroup = world.cgroup("id.a");
    world.cgroup("id.a");
    let parent = everywhere(&world.host.paths(Path::new(&world.parent)));
    world.host.sweep(Some(&world.parent)).unwrap();
    assert!(
        everywhere(cgroup.paths())
            .iter()
            .chain(cgroup.paths().shared.values())
            .all(|dir| dir.exists())
    );
    cgroup.remove().unwrap();
    world.host.sweep(Some(&world.parent)).unwrap();
    assert!(parent.iter().all(|dir| !dir.exists()), "{parent:?}");
    world.host.sweep(Some(&world.parent)).unwrap();
}

#[test]
fn what_is_handed_over_leads_to_the_same_cgroup() {
    let Some(world) = World::new() else { return };
    let (paths, handed) = world.host.standalone(Some(&world.parent), "id.a").unwrap();
    let cgroup = Cgroup::create(&paths).unwrap();
    // A cpuset partition that is mounted with cpu, or not at all, is only a name.
    assert!(handed.is_dir() || paths.shared.is_empty());
    assert_eq!(world.host.given(&handed, "id.a").unwrap(), paths);
    let added = paths.added();
    Cgroup::at(&added).remove().unwrap();
    assert!(paths.of(Controller::Memory).unwrap().exists());
    Cgroup::create(&added).unwrap();
    Cgroup::create(&paths).unwrap().entry().unwrap();
    cgroup.remove().unwrap();
}

#[test]
fn limits_can_be_read_back() {
    let Some(world) = World::new() else { return };
    if !world.has(&[Controller::Pids]) {
        return;
    }
    let cgroup = world.cgroup("id.limits");
    let limits = Limits {
        memory_max_bytes: Some(Bound::At(64 * MIB)),
        memory_low_bytes: Some(32 * MIB),
        swap_max_bytes: Some(Bound::At(0)),
        cpu_shares: Some(1024),
        cpu_quota: Some(Quota {
            quota_usec: 500,
            period_usec: 100_000,
        }),
        pids_max: Some(Bound::At(33)),
        ..Limits::default()
    };
    eprintln!("refused: {:?}", cgroup.apply(&limits).unwrap());
    let of = |controller| cgroup.paths().of(controller).unwrap();
    let (memory, cpu) = (of(Controller::Memory), of(Controller::Cpu));
    if world.is_v2() {
        assert_eq!(text(memory, "memory.max"), (64 * MIB).to_string());
        assert_eq!(text(memory, "memory.low"), (32 * MIB).to_string());
        assert_eq!(
            (text(cpu, "cpu.weight"), text(cpu, "cpu.max")),
            ("100".into(), "1000 200000".into())
        );
    } else {
        assert_eq!(
            text(memory, "memory.limit_in_bytes"),
            (64 * MIB).to_string()
        );
        assert_eq!(
            text(memory, "memory.soft_limit_in_bytes"),
            (32 * MIB).to_string()
        );
        assert_eq!(text(cpu, "cpu.shares"), "1024");
        assert_eq!(
            (
                text(cpu, "cpu.cfs_quota_us"),
                text(cpu, "cpu.cfs_period_us")
            ),
            ("1000".into(), "200000".into())
        );
        if memory.join("memory.memsw.limit_in_bytes").exists() {
            assert_eq!(
                text(memory, "memory.memsw.limit_in_bytes"),
                (64 * MIB).to_string()
            );
        }
    }
    assert_eq!(text(of(Controller::Pids), "pids.max"), "33");
}

#[test]
fn a_reused_cgroup_takes_larger_smaller_and_no_limits() {
    let Some(world) = World::new() else { return };
    let cgroup = world.cgroup("id.reused");
    let bounds = [
        Bound::At(64 * MIB),
        Bound::At(256 * MIB),
        Bound::At(32 * MIB),
        Bound::Unlimited,
        Bound::At(MIB),
    ];
    for (memory, swap) in bounds
        .into_iter()
        .flat_map(|m| [None, Some(Bound::At(0)), Some(Bound::Unlimited)].map(|s| (m, s)))
    {
        let limits = Limits {
            memory_max_bytes: Some(memory),
            swap_max_bytes: swap,
            ..Limits::default()
        };
        let refused = cgroup.apply(&limits).unwrap();
        assert!(
            refused
                .iter()
                .all(|refusal| !refusal.reason.contains("not taken")),
            "{memory:?} {swap:?}: {refused:?}"
        );
    }
    for period_usec in [100_000, 1_000_000, 10_000] {
        for quota_usec in [1, 999, 5_000, period_usec * 4] {
            let quota = Quota {
                quota_usec,
                period_usec,
            };
            cgroup
                .apply(&Limits {
                    cpu_quota: Some(quota),
                    ..Limits::default()
                })
                .unwrap();
        }
    }
    for shares in [2, 3, 100, 1024, 262_144] {
        assert_eq!(
            cgroup
                .apply(&Limits {
                    cpu_shares: Some(shares),
                    ..Limits::default()
                })
                .unwrap(),
            []
        );
    }
}

#[test]
fn processors_can_be_reserved() {
    let Some(world) = World::new() else { return };
    if !world.has(&[Controller::Cpuset]) {
        return;
    }
    let paths = match world.host.v1.get(&Controller::Cpuset) {
        Some(mount) => {
            let reserved = mount.join(&world.parent).join("reserve/id.cores");
            world.host.given(&reserved, "id.cores").unwrap()
        }
        None => world.paths("id.cores"),
    };
    let cgroup = Cgroup::create(&paths).unwrap();
    cgroup
        .apply(&Limits {
            cpuset_cpus: Some("0".into()),
            ..Limits::default()
        })
        .unwrap();
    let mut child = enter(&cgroup, "exec sleep 1000");
    wait_for_sleep(&child);
    assert_eq!(cgroup.processes().unwrap(), [child.id() as i32]);
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    assert!(status.contains("Cpus_allowed_list:\t0\n"), "{status}");
    cgroup.empty(LIMIT).unwrap();
    child.wait().unwrap();
    assert!(
        cgroup
            .apply(&Limits {
                cpuset_cpus: Some("100000".into()),
                ..Limits::default()
            })
            .is_err()
    );
    cgroup.remove().unwrap();
}

#[test]
fn a_real_oom_kill_is_counted() {
    let Some(world) = World::new() else { return };
    let cgroup = world.cgroup("id.oom");
    let (memory, swap) = (Some(Bound::At(16 * MIB)), Some(Bound::At(0)));
    let limits = Limits {
        memory_max_bytes: memory,
        swap_max_bytes: swap,
        ..Limits::default()
    };
    cgroup.apply(&limits).unwrap();
    assert_eq!(cgroup.oom_kills().unwrap(), 0);
    let status = enter(&cgroup, "exec tail /dev/zero").wait().unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(9)
    );
    assert_eq!(cgroup.oom_kills().unwrap(), 1);
    assert_eq!(cgroup.stats().unwrap().oom_kills, Some(1));
    enter(&cgroup, "tail /dev/zero; exit 0").wait().unwrap();
    assert_eq!(cgroup.oom_kills().unwrap(), 2);
}

#[test]
fn counters_grow_with_use() {
    let Some(world) = World::new() else { return };
    let cgroup = world.cgroup("id.stats");
    let quota = Quota {
        quota_usec: 5_000,
        period_usec: 50_000,
    };
    cgroup
        .apply(&Limits {
            cpu_quota: Some(quota),
            ..Limits::default()
        })
        .unwrap();
    let mut child = enter(
        &cgroup,
        "x=$(head -c 4000000 /dev/zero | tr '\\0' x); while :; do :; done",
    );
    wait_until("throttling", || {
        cgroup.stats().unwrap().cpu.throttled_periods.unwrap() > 1
    });
    let stats = cgroup.stats().unwrap();
    assert!(stats.pids.unwrap() >= 1, "{stats:?}");
    assert_eq!(stats.oom_kills, Some(0));
    let memory = stats.memory;
    assert!(memory.usage_bytes.unwrap() > 0, "{memory:?}");
    assert!(
        memory.cache_bytes.is_some() && memory.mapped_file_bytes.is_some(),
        "{memory:?}"
    );
    let cpu = stats.cpu;
    assert!(cpu.throttled_nsec.unwrap() > 1_000_000, "{cpu:?}");
    if world.host.unified.is_some() || world.has(&[Controller::Cpuacct]) {
        assert!(cpu.usage_nsec.unwrap() > 1_000_000, "{cpu:?}");
        assert!(
            cpu.user_nsec.is_some() && cpu.system_nsec.is_some(),
            "{cpu:?}"
        );
    }
    // Pages charged to us, not those that the process brought along; the kernel adds them up every other second.
    wait_until("counting resident pages", || {
        cgroup.stats().unwrap().memory.rss_bytes.unwrap() > MIB
    });
    cgroup.empty(LIMIT).unwrap();
    child.wait().unwrap();
    cgroup.remove().unwrap();
    assert_eq!(cgroup.stats().unwrap(), cgroup::Stats::default());
    assert_eq!(cgroup.oom_kills().unwrap(), 0);
}

/// Each generation starts the next in a session of its own and ends; 16 lines of descent at a time.
const BOMB: &str = "f() { setsid /bin/sh -c \"$S\" & }; export S='trap \"\" TERM HUP; setsid /bin/sh -c \"$S\" & sleep 0.01'; \
                    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do f; done; sleep 1000";

fn bomb(cgroup: &Cgroup) -> Child {
    cgroup
        .apply(&Limits {
            pids_max: Some(Bound::At(256)),
            ..Limits::default()
        })
        .unwrap();
    let child = enter(cgroup, BOMB);
    wait_until("forking", || cgroup.processes().unwrap().len() > 16);
    std::thread::sleep(Duration::from_millis(100));
    child
}

#[test]
fn a_fork_bomb_of_nested_sessions_is_emptied() {
    let Some(world) = World::new() else { return };
    if !world.has(&[Controller::Pids]) {
        return;
    }
    let cgroup = world.cgroup("id.bomb");
    let mut child = bomb(&cgroup);
    cgroup.empty(LIMIT).unwrap();
    assert_eq!(cgroup.processes().unwrap(), []);
    child.wait().unwrap();
    cgroup.remove().unwrap();
}

#[test]
fn the_freezer_empties_a_fork_bomb_without_cgroup_kill() {
    let Some(world) = World::new() else { return };
    if !world.has(&[Controller::Pids]) {
        return;
    }
    if !world.host.v1.contains_key(&Controller::Freezer) {
        need::elsewhere("there is no v1 freezer on this host");
        return;
    }
    let cgroup = Cgroup::create(&Paths {
        unified: None,
        ..world.paths("id.frozen")
    })
    .unwrap();
    let mut child = bomb(&cgroup);
    cgroup.empty(LIMIT).unwrap();
    assert_eq!(cgroup.processes().unwrap(), []);
    assert_eq!(
        text(
            cgroup.paths().of(Controller::Freezer).unwrap(),
            "freezer.state"
        ),
        "THAWED"
    );
    child.wait().unwrap();
    cgroup.remove().unwrap();
}

#[test]
fn a_frozen_cgroup_is_emptied() {
    let Some(world) = World::new() else { return };
    let cgroup = world.cgroup("id.frozen");
    let mut child = enter(&cgroup, "exec sleep 1000");
    wait_for_sleep(&child);
    if let Some(dir) = cgroup.paths().v1.get(&Controller::Freezer) {
        fs::write(dir.join("freezer.state"), "FROZEN").unwrap();
    }
    if let Some(dir) = &cgroup.paths().unified {
        fs::write(dir.join("cgroup.freeze"), "1").unwrap();
    }
    cgroup.empty(LIMIT).unwrap();
    child.wait().unwrap();
}

#[test]
fn a_process_left_in_one_v1_directory_is_killed_too() {
    let Some(world) = World::new() else { return };
    if world.is_v2() {
        need::elsewhere("this host has one hierarchy only");
        return;
    }
    let cgroup = world.cgroup("id.stray");
    for dir in cgroup.paths().v1.values() {
        let mut stray = Command::new("/bin/sh");
        let script = format!(
            "echo 0 > '{}/cgroup.procs' && exec sleep 1000",
            dir.display()
        );
        let mut stray = stray.arg("-c").arg(script).spawn().unwrap();
        wait_for_sleep(&stray);
        assert_eq!(cgroup.processes().unwrap(), [stray.id() as i32]);
        cgroup.empty(LIMIT).unwrap();
        stray.wait().unwrap();
    }
}

#[test]
fn cgroups_made_inside_are_emptied_and_removed() {
    let Some(world) = World::new() else { return };
    let cgroup = world.cgroup("id.nested");
    for dir in everywhere(cgroup.paths()) {
        fs::create_dir_all(dir.join("below/deeper")).unwrap();
    }
    let below = |dir: &PathBuf| dir.join("below/deeper");
    let mut paths = cgroup.paths().clone();
    paths.unified = paths.unified.as_ref().map(below);
    paths.v1 = paths
        .v1
        .iter()
        .map(|(controller, dir)| (*controller, below(dir)))
        .collect();
    let deeper = Cgroup::create(&paths).unwrap();
    let mut child = enter(&deeper, "exec sleep 1000");
    wait_for_sleep(&child);
    assert_eq!(cgroup.processes().unwrap(), [child.id() as i32]);
    cgroup.empty(LIMIT).unwrap();
    cgroup.remove().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_shared_partition_and_its_other_users_are_left_alone() {
    let Some(world) = World::new() else { return };
    let (one, other) = (world.cgroup("id.one"), world.cgroup("id.other"));
    let mut killed = enter(&one, "exec sleep 1000");
    let mut spared = enter(&other, "exec sleep 1000");
    wait_for_sleep(&killed);
    wait_for_sleep(&spared);
    one.empty(LIMIT).unwrap();
    one.remove().unwrap();
    killed.wait().unwrap();
    assert_eq!(other.processes().unwrap(), [spared.id() as i32]);
    assert!(other.paths().shared.values().all(|dir| dir.exists()));
    other.empty(LIMIT).unwrap();
    spared.wait().unwrap();
}

#[test]
fn removing_an_occupied_cgroup_names_who_is_in_it() {
    let Some(world) = World::new() else { return };
    let cgroup = world.cgroup("id.occupied");
    let mut child = enter(&cgroup, "exec sleep 1000");
    wait_for_sleep(&child);
    match cgroup.remove().unwrap_err() {
        Error::Populated { pids, seconds, .. } => {
            assert_eq!((pids, seconds), (vec![child.id() as i32], 2))
        }
        other => panic!("{other}"),
    }
    cgroup.empty(LIMIT).unwrap();
    child.wait().unwrap();
    cgroup.remove().unwrap();
}

#[test]
fn the_roots_of_the_hierarchies_are_never_killed_or_removed() {
    let Some(world) = World::new() else { return };
    let roots = Cgroup::at(&Paths {
        unified: world.host.unified.clone(),
        v1: world.host.v1.clone(),
        ..Paths::default()
    });
    assert!(matches!(roots.kill(), Err(Error::Unusable { .. })));
    assert!(matches!(roots.remove(), Err(Error::Unusable { .. })));
}

#[test]
fn emptying_is_quick() {
    let Some(world) = World::new() else { return };
    let cgroup = world.cgroup("id.quick");
    let mut times: Vec<_> = (0..20)
        .map(|_| {
            let mut child = enter(&cgroup, "exec sleep 1000");
            wait_for_sleep(&child);
            let start = Instant::now();
            cgroup.empty(LIMIT).unwrap();
            let time = start.elapsed();
            child.wait().unwrap();
            time
        })
        .collect();
    times.sort();
    eprintln!(
        "emptied in {:?} to {:?}, median {:?}",
        times[0], times[19], times[10]
    );
    assert!(times[10] < Duration::from_secs(1), "{times:?}");
}
