//! CPU: `exec` competes by weight, `exec2` has a quota; processors of its own, where the client reserved some.
use cgroup::{Cgroup, Host, Partition};
use driver::Kind;
use suite::World;
use suite::driven::{Driven, KINDS, Live};
use suite::need::require;

use crate::{EXEC_NEEDS, NEEDS};

/// MHz of one core of the drivers here.
const CORE_MHZ: i64 = 2000;
const PERIOD: i64 = 100_000;

/// `cpu`, v1 `cpu.shares`, v2 `cpu.weight` (runc's curve).
const SHARES: [(i64, &str, &str); 5] = [
    (0, "2", "1"),
    (1, "2", "1"),
    (100, "100", "17"),
    (1024, "1024", "100"),
    (4000, "4000", "297"),
];

/// `cpu`, quota and period in microseconds. The last three are below the kernel's minimum at the usual period.
const QUOTAS: [(i64, i64, i64); 6] = [
    (100, 5_000, PERIOD),
    (2000, 100_000, PERIOD),
    (8000, 400_000, PERIOD),
    (20, 1_000, PERIOD),
    (10, 1_000, 2 * PERIOD),
    (5, 1_000, 4 * PERIOD),
];

fn directory(live: &Live<'_>, controller: &str) -> (bool, String) {
    let text = std::fs::read_to_string(format!("/proc/{}/cgroup", live.pid())).unwrap();
    let v1 = text.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let has = controllers.split(',').any(|name| name == controller);
        has.then(|| format!("/sys/fs/cgroup/{controllers}{path}"))
    });
    let v2 = text.lines().find_map(|line| line.strip_prefix("0::"));
    match v1 {
        Some(path) => (true, path),
        None => (false, format!("/sys/fs/cgroup{}", v2.unwrap())),
    }
}

fn text(directory: &str, file: &str) -> String {
    let path = format!("{directory}/{file}");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.trim().to_owned()
}

/// What `of` says of the cgroup of a task with so much `cpu`.
fn with_cpu<T>(world: &World, kind: Kind, cpu: i64, of: impl FnOnce(&Live<'_>) -> T) -> T {
    let mut driven = Driven::new(world, kind, &["catch", "INT", "0"]);
    driven.task.resources.cpu_shares = cpu;
    let live = driven.start();
    let _ = live.wait_for_stdout(crate::CATCHING);
    let said = of(&live);
    let _ = live.stop();
    said
}

fn quota(live: &Live<'_>) -> (i64, i64) {
    let (is_v1, directory) = directory(live, "cpu");
    let text = match is_v1 {
        true => ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
            .map(|file| text(&directory, file))
            .join(" "),
        false => text(&directory, "cpu.max"),
    };
    let (quota, period) = text.split_once(' ').unwrap();
    // -1 and max: none.
    (quota.parse().unwrap_or(-1), period.parse().unwrap())
}

#[test]
fn exec_has_a_weight_and_no_quota() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for (cpu, shares, weight) in SHARES {
        let (found, quota) = with_cpu(&world, Kind::Exec, cpu, |live| {
            let found = match directory(live, "cpu") {
                (true, directory) => (text(&directory, "cpu.shares"), shares),
                (false, directory) => (text(&directory, "cpu.weight"), weight),
            };
            (found, quota(live))
        });
        assert_eq!(found.0, found.1, "{cpu}");
        assert_eq!(quota.0, -1, "{cpu}");
    }
}

#[test]
fn exec2_has_a_quota_of_the_cores_speed() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for (cpu, wanted, period) in QUOTAS {
        let found = with_cpu(&world, Kind::Exec2, cpu, quota);
        assert_eq!(found, (wanted, period), "{cpu} of {CORE_MHZ}");
    }
}

#[test]
fn the_smallest_cpu_of_all_starts() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::of(&world, kind, "/bin/true", &[]);
        driven.task.resources.cpu_shares = 1;
        let _ = driven.run().exited(0);
    }
}

#[test]
fn a_task_with_cores_runs_on_them_and_nowhere_else() {
    if !require(NEEDS) {
        return;
    }
    let host = Host::detect().unwrap();
    let Ok(usable) = host.usable_cpus() else {
        return;
    };
    let world = World::shared();
    for kind in KINDS {
        let core = usable.iter().last().unwrap().to_string();
        let mut driven = Driven::new(&world, kind, &["read", "/proc/self/status"]);
        let parent = format!("encamp-test-cores-{}-{}", std::process::id(), kind.name());
        let scope = format!("{}.web", driven.task.alloc_id);
        let (paths, handed) = host
            .standalone_in(Partition::Reserve, Some(&parent), &scope)
            .unwrap();
        let cgroup = Cgroup::create(&paths).unwrap();
        driven.task.resources.cpuset_cgroup = handed.display().to_string();
        driven.task.resources.cpuset_cpus.clone_from(&core);
        let line = driven.run().exited(0).line();
        let status = line["text"].as_str().unwrap();
        let inside = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        assert_eq!(inside.unwrap().trim(), core, "{}", kind.name());
        cgroup.remove().unwrap();
        host.sweep(Some(&parent)).unwrap();
    }
}

#[test]
fn cores_that_the_host_has_not_are_refused_by_their_number() {
    if !require(NEEDS) {
        return;
    }
    let host = Host::detect().unwrap();
    if host.usable_cpus().is_err() {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::new(&world, kind, &["exit", "0"]);
        let parent = format!("encamp-test-absent-{}-{}", std::process::id(), kind.name());
        let scope = format!("{}.web", driven.task.alloc_id);
        let (paths, handed) = host
            .standalone_in(Partition::Reserve, Some(&parent), &scope)
            .unwrap();
        let cgroup = Cgroup::create(&paths).unwrap();
        driven.task.resources.cpuset_cgroup = handed.display().to_string();
        "4095".clone_into(&mut driven.task.resources.cpuset_cpus);
        let refused = driven.refused();
        assert!(refused.contains("cpuset.cpus = 4095"), "{refused}");
        cgroup.remove().unwrap();
        host.sweep(Some(&parent)).unwrap();
    }
}
