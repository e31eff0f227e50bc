//! From Nomad's resources to a cgroup's limits.
use cgroup::{Bound, Limits, Quota};

use crate::api::{Compute, Kind};
use crate::task_config::Resources;

const MIB: u64 = 1 << 20;
/// The largest `cpu.shares`; a node with more MHz than that has its shares scaled down.
const MAX_SHARES: u64 = 262_144;
/// The kernel's smallest `cpu.shares`.
const MIN_SHARES: u64 = 2;
const PERIOD_USEC: u64 = 100_000;
/// Nomad sets none; a fork bomb must not take the host's pids.
const PIDS: u64 = 4096;

/// What a task of this driver may use: `exec` competes by weight, `exec2` has a quota.
pub(crate) fn limits(kind: Kind, resources: &Resources, compute: Compute) -> Limits {
    let memory = memory(resources);
    Limits {
        memory_max_bytes: memory.max,
        memory_low_bytes: memory.low,
        swap_max_bytes: memory.swap,
        cpu_shares: (kind == Kind::Exec).then(|| shares(resources.cpu_shares, compute.total_mhz)),
        cpu_quota: if kind == Kind::Exec2 {
            quota(resources.cpu_shares, compute)
        } else {
            None
        },
        cpuset_cpus: Some(resources.cpuset_cpus.clone()).filter(|cpus| !cpus.is_empty()),
        pids_max: Some(Bound::At(PIDS)),
        oom_group: Some(true),
        // Which these are is told by the host: `devices`.
        devices: None,
    }
}

/// `memory` and `memory_max` together, with swap off where there is a maximum.
#[derive(Debug, PartialEq, Eq)]
struct Memory {
    max: Option<Bound>,
    low: Option<u64>,
    swap: Option<Bound>,
}

fn memory(resources: &Resources) -> Memory {
    let reserved = bytes(resources.memory_mb);
    match resources.memory_max_mb {
        0 => Memory {
            max: reserved.map(Bound::At),
            low: None,
            swap: reserved.map(|_| Bound::At(0)),
        },
        max if max > 0 => Memory {
            max: bytes(max).map(Bound::At),
            low: reserved,
            swap: Some(Bound::At(0)),
        },
        _ => Memory {
            max: Some(Bound::Unlimited),
            low: reserved,
            swap: Some(Bound::Unlimited),
        },
    }
}

fn bytes(mb: i64) -> Option<u64> {
    u64::try_from(mb)
        .ok()
        .filter(|mb| *mb > 0)
        .map(|mb| mb.saturating_mul(MIB))
}

fn shares(mhz: i64, total_mhz: u64) -> u64 {
    let mhz = u64::try_from(mhz).unwrap_or(0);
    let scaled = if total_mhz >= MAX_SHARES {
        scale(mhz, total_mhz)
    } else {
        mhz
    };
    scaled.clamp(MIN_SHARES, MAX_SHARES)
}

fn scale(mhz: u64, total_mhz: u64) -> u64 {
    let scaled = u128::from(mhz) * u128::from(MAX_SHARES) / u128::from(total_mhz);
    u64::try_from(scaled).unwrap_or(MAX_SHARES)
}

/// `None` where the node's compute is unknown. The kernel's minimum is the cgroup's to know.
fn quota(mhz: i64, compute: Compute) -> Option<Quota> {
    let core_mhz = compute
        .total_mhz
        .checked_div(compute.cores)
        .filter(|core| *core > 0)?;
    let mhz = u64::try_from(mhz).unwrap_or(0).max(1);
    Some(Quota {
        quota_usec: (mhz.saturating_mul(PERIOD_USEC) / core_mhz).max(1),
        period_usec: PERIOD_USEC,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(memory_mb: i64, memory_max_mb: i64) -> Resources {
        Resources {
            memory_mb,
            memory_max_mb,
            ..Resources::default()
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
        ] {
            assert_eq!(shares(mhz, total), wanted, "{mhz} of {total}");
        }
    }

    #[test]
    fn quota_is_the_share_of_one_core() {
        let of = |mhz, core: u64| {
            quota(
                mhz,
                Compute {
                    total_mhz: core * 4,
                    cores: 4,
                },
            )
            .map(|quota| quota.quota_usec)
        };
        assert_eq!(of(100, 2000), Some(5000));
        assert_eq!(of(250, 3000), Some(8333));
        assert_eq!(of(8000, 2000), Some(400_000));
        assert_eq!(of(1, 3000), Some(33));
        assert_eq!(of(0, 3000), Some(33));
        assert_eq!(
            quota(
                100,
                Compute {
                    total_mhz: 0,
                    cores: 0
                }
            ),
            None
        );
        assert_eq!(
            quota(
                100,
                Compute {
                    total_mhz: 1,
                    cores: 4
                }
            ),
            None
        );
    }

    #[test]
    fn memory_max_turns_memory_into_a_reservation() {
        let at = |mb: u64| Some(Bound::At(mb * MIB));
        assert_eq!(
            memory(&resources(200, 0)),
            Memory {
                max: at(200),
                low: None,
                swap: at(0)
            }
        );
        assert_eq!(
            memory(&resources(150, 250)),
            Memory {
                max: at(250),
                low: Some(150 * MIB),
                swap: at(0)
            }
        );
        let unlimited = Some(Bound::Unlimited);
        assert_eq!(
            memory(&resources(150, -1)),
            Memory {
                max: unlimited,
                low: Some(150 * MIB),
                swap: unlimited
            }
        );
        assert_eq!(
            memory(&resources(0, 0)),
            Memory {
                max: None,
                low: None,
                swap: None
            }
        );
    }

    #[test]
    fn each_driver_has_its_own_way_to_share_a_cpu() {
        let compute = Compute {
            total_mhz: 8000,
            cores: 4,
        };
        let given = Resources {
            cpu_shares: 100,
            cpuset_cpus: "2,3".to_owned(),
            ..resources(300, 0)
        };
        let exec = limits(Kind::Exec, &given, compute);
        assert_eq!((exec.cpu_shares, exec.cpu_quota), (Some(100), None));
        assert_eq!(exec.cpuset_cpus.as_deref(), Some("2,3"));
        let exec2 = limits(Kind::Exec2, &given, compute);
        assert_eq!(
            (exec2.cpu_shares, exec2.cpu_quota),
            (
                None,
                Some(Quota {
                    quota_usec: 5000,
                    period_usec: 100_000
                })
            )
        );
        assert_eq!(
            limits(Kind::Exec2, &resources(1, 0), compute).cpuset_cpus,
            None
        );
    }
}
