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
#[path = "limits_tests.rs"]
mod tests;
