//! What is written: maxima and shares.
use serde::{Deserialize, Serialize};

use crate::DeviceRule;

/// A maximum that may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bound {
    /// No maximum (`max`, or -1 on v1).
    Unlimited,
    /// At most this many.
    At(u64),
}

/// CPU bandwidth: `quota_usec` of every `period_usec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the kernel's")]
pub struct Quota {
    pub quota_usec: u64,
    pub period_usec: u64,
}

/// What to write into a cgroup. `None` leaves the file alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// `memory.max`; v1 `memory.limit_in_bytes`.
    pub memory_max_bytes: Option<Bound>,
    /// `memory.low`; v1 `memory.soft_limit_in_bytes`.
    pub memory_low_bytes: Option<u64>,
    /// `memory.swap.max`; v1 `memory.memsw.limit_in_bytes` is memory + this.
    pub swap_max_bytes: Option<Bound>,
    /// In v1's unit, 2..=262144: `cpu.shares`; v2 `cpu.weight` by runc's curve.
    pub cpu_shares: Option<u64>,
    /// `cpu.max`; v1 `cpu.cfs_quota_us` and `cpu.cfs_period_us`.
    pub cpu_quota: Option<Quota>,
    /// `cpuset.cpus`, a list such as `2,3`.
    pub cpuset_cpus: Option<String>,
    /// `pids.max`.
    pub pids_max: Option<Bound>,
    /// `memory.oom.group` (v2 only).
    pub oom_group: Option<bool>,
    /// The device nodes that may be opened and made, and no others: v1 `devices.deny` and `devices.allow`; v2 a program.
    pub devices: Option<Vec<DeviceRule>>,
}

/// A limit that this kernel has no file for, or would not take though it is no boundary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The interface file.
    pub file: String,
    /// Why it was not written.
    pub reason: String,
}
