//! What is read: counters since the cgroup was made.

/// Counters of the memory controller, in bytes. `None`: this kernel or hierarchy does not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each name is the interface file's word")]
pub struct Memory {
    pub usage_bytes: Option<u64>,
    pub peak_bytes: Option<u64>,
    pub rss_bytes: Option<u64>,
    pub cache_bytes: Option<u64>,
    pub mapped_file_bytes: Option<u64>,
    pub swap_bytes: Option<u64>,
    pub kernel_usage_bytes: Option<u64>,
    pub kernel_peak_bytes: Option<u64>,
}

/// Counters of the cpu controller (v1: cpu and cpuacct), in nanoseconds and periods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each name is the interface file's word")]
pub struct Cpu {
    pub usage_nsec: Option<u64>,
    pub user_nsec: Option<u64>,
    pub system_nsec: Option<u64>,
    pub throttled_periods: Option<u64>,
    pub throttled_nsec: Option<u64>,
}

/// One reading of a cgroup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Memory counters.
    pub memory: Memory,
    /// CPU counters.
    pub cpu: Cpu,
    /// `pids.current`, or the number of processes where the pids controller is missing.
    pub pids: Option<u64>,
    /// `oom_kill` of `memory.events` (v1: of `memory.oom_control`) since the cgroup was made.
    pub oom_kills: Option<u64>,
}
