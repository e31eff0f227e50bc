//! The tables of both drivers, row by row, and every `cpu` against the kernel of this machine.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]
use super::*;
use cgroup::{Cgroup, Host, Version};

fn resources(memory_mb: i64, memory_max_mb: i64) -> Resources {
    Resources {
        memory_mb,
        memory_max_mb,
        ..Resources::default()
    }
}

fn with_cpu(cpu_shares: i64) -> Resources {
    Resources {
        cpu_shares,
        ..resources(300, 0)
    }
}

/// So many cores of so many MHz.
fn compute(cores: u64, core_mhz: u64) -> Compute {
    Compute {
        total_mhz: cores * core_mhz,
        cores,
    }
}

#[test]
fn shares_are_mhz_until_the_node_has_too_many() {
    for (mhz, total, wanted) in [
        (262_144, 12_000, 262_144),
        (1000, 12_000, 1000),
        (262_144, 262_144, 262_144),
        (262_144, 262_145, 262_143),
        (1, 262_145, 2),
        (1000, 524_288, 500),
        (262_144, 524_288, 131_072),
        (1, 5000, 2),
        (0, 5000, 2),
        (-5, 5000, 2),
        (i64::MAX, 5000, 262_144),
        (i64::MAX, u64::MAX, 131_071),
    ] {
        assert_eq!(shares(mhz, total), wanted, "{mhz} of {total}");
    }
}

#[test]
fn quota_is_the_share_of_one_core() {
    for (mhz, core_mhz, wanted) in [
        (100, 2000, 5000),
        (250, 3000, 8333),
        (8000, 2000, 400_000),
        (1, 3000, 33),
        (0, 3000, 33),
        (-1, 3000, 33),
        (1, 1_000_000, 1),
    ] {
        let quota = quota(mhz, compute(4, core_mhz)).unwrap();
        assert_eq!(quota.quota_usec, wanted, "{mhz} of {core_mhz}");
        assert_eq!(quota.period_usec, 100_000);
    }
}

#[test]
fn a_node_of_unknown_compute_has_no_quota() {
    let unknown = |total_mhz, cores| quota(100, Compute { total_mhz, cores });
    assert_eq!(unknown(0, 0), None);
    assert_eq!(unknown(1, 4), None);
    assert_eq!(unknown(1000, 0), None);
}

#[test]
fn memory_max_turns_memory_into_a_reservation() {
    const NONE: Option<Bound> = None;
    const UNLIMITED: Option<Bound> = Some(Bound::Unlimited);
    let at = |mb: u64| Some(Bound::At(mb * MIB));
    let low = |mb: u64| Some(mb * MIB);
    for (memory_mb, memory_max_mb, max, low, swap) in [
        (200, 0, at(200), None, at(0)),
        (150, 250, at(250), low(150), at(0)),
        (150, 150, at(150), low(150), at(0)),
        (150, -1, UNLIMITED, low(150), UNLIMITED),
        (0, -1, UNLIMITED, None, UNLIMITED),
        (0, 0, NONE, None, NONE),
        (0, 250, at(250), None, at(0)),
        (-7, 0, NONE, None, NONE),
    ] {
        let found = memory(&resources(memory_mb, memory_max_mb));
        assert_eq!(
            found,
            Memory { max, low, swap },
            "{memory_mb} {memory_max_mb}"
        );
    }
}

#[test]
fn a_memory_that_no_machine_has_is_no_overflow() {
    let most = memory(&resources(i64::MAX, i64::MAX));
    assert_eq!(most.max, Some(Bound::At(u64::MAX)));
}

#[test]
fn each_driver_has_its_own_way_to_share_a_cpu() {
    let of = |kind| limits(kind, &with_cpu(100), compute(4, 2000));
    let exec = of(Kind::Exec);
    assert_eq!((exec.cpu_shares, exec.cpu_quota), (Some(100), None));
    let exec2 = of(Kind::Exec2);
    let quota = Quota {
        quota_usec: 5000,
        period_usec: 100_000,
    };
    assert_eq!((exec2.cpu_shares, exec2.cpu_quota), (None, Some(quota)));
}

#[test]
fn reserved_cores_are_the_cpuset_of_both() {
    for kind in [Kind::Exec, Kind::Exec2] {
        let cpuset = |cpus: &str| {
            let given = Resources {
                cpuset_cpus: cpus.to_owned(),
                ..with_cpu(4000)
            };
            limits(kind, &given, compute(4, 2000))
        };
        let two = cpuset("2,3");
        assert_eq!(two.cpuset_cpus.as_deref(), Some("2,3"));
        // Of exec2 they are used whole: the client counts their MHz into `cpu`.
        let whole = (kind == Kind::Exec2).then_some(200_000);
        assert_eq!(two.cpu_quota.map(|quota| quota.quota_usec), whole);
        assert_eq!(cpuset("").cpuset_cpus, None);
    }
}

#[test]
fn both_have_the_limits_that_nomad_lacks() {
    for kind in [Kind::Exec, Kind::Exec2] {
        let limits = limits(kind, &with_cpu(100), compute(4, 2000));
        assert_eq!(limits.pids_max, Some(Bound::At(4096)));
        assert_eq!(limits.oom_group, Some(true));
        assert_eq!(limits.swap_max_bytes, Some(Bound::At(0)));
    }
}

/// A cgroup of this test's own; `None`, said aloud, where none can be made.
fn cgroup(name: &str) -> Option<(Host, String, Cgroup)> {
    if !need::require(&[need::Need::Root]) {
        return None;
    }
    let host = Host::detect().unwrap();
    let parent = format!("encamp-test-{name}-{}", std::process::id());
    let (paths, _) = host.standalone(Some(&parent), "limits").unwrap();
    let cgroup = Cgroup::create(&paths).unwrap();
    Some((host, parent, cgroup))
}

/// Quota and period as the kernel has them.
fn bandwidth(host: &Host, cgroup: &Cgroup) -> Quota {
    let dir = cgroup.paths().of(cgroup::Controller::Cpu).unwrap();
    let text = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let text = match host.version {
        Version::V1 => format!(
            "{} {}",
            text("cpu.cfs_quota_us").trim(),
            text("cpu.cfs_period_us")
        ),
        Version::V2 => text("cpu.max"),
    };
    let (quota, period) = text.trim().split_once(' ').unwrap();
    Quota {
        quota_usec: quota.parse().unwrap(),
        period_usec: period.parse().unwrap(),
    }
}

#[test]
fn the_kernel_takes_every_cpu_of_exec2_and_keeps_its_share() {
    let Some((host, parent, cgroup)) = cgroup("quota") else {
        return;
    };
    for core_mhz in [1000, 2400, 2500, 3000, 5700] {
        for mhz in (1..=200).chain([500, 1000, 2499, 10_000, 1_000_000]) {
            let limits = limits(Kind::Exec2, &with_cpu(mhz), compute(8, core_mhz));
            let quota = Limits {
                cpu_quota: limits.cpu_quota,
                ..Limits::default()
            };
            assert_eq!(cgroup.apply(&quota).unwrap(), [], "{mhz} of {core_mhz}");
            let found = bandwidth(&host, &cgroup);
            let share = found.quota_usec as f64 / found.period_usec as f64;
            // A thousandth of a core is the least that the kernel can give. Else whole microseconds are lost at most.
            let wanted = (mhz as f64 / core_mhz as f64).max(0.001);
            assert!(
                share <= wanted && share > wanted - 0.000_011,
                "{mhz} of {core_mhz}: {found:?}"
            );
        }
    }
    cgroup.remove().unwrap();
    host.sweep(Some(&parent)).unwrap();
}

#[test]
fn the_kernel_takes_every_cpu_of_exec() {
    let Some((host, parent, cgroup)) = cgroup("shares") else {
        return;
    };
    for mhz in (0..=200).chain([1000, 262_144, 1_000_000]) {
        let limits = limits(Kind::Exec, &with_cpu(mhz), compute(8, 2500));
        let shares = Limits {
            cpu_shares: limits.cpu_shares,
            ..Limits::default()
        };
        assert_eq!(cgroup.apply(&shares).unwrap(), [], "{mhz}");
    }
    cgroup.remove().unwrap();
    host.sweep(Some(&parent)).unwrap();
}
