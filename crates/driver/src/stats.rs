//! One sample of what a task uses, from counters of its cgroup.
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::api::{Compute, TaskStats};
use crate::handle::Baseline;

/// A reading to compute rates from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) at: SystemTime,
    pub(crate) cpu: Baseline,
}

/// CPU counters, 0 where the kernel does not tell.
pub(crate) fn cpu(stats: &cgroup::Stats) -> Baseline {
    let cpu = &stats.cpu;
    Baseline {
        usage_nsec: cpu.usage_nsec.unwrap_or(0),
        user_nsec: cpu.user_nsec.unwrap_or(0),
        system_nsec: cpu.system_nsec.unwrap_or(0),
    }
}

/// What a reading says, with rates since the previous one.
pub(crate) fn usage(
    stats: &cgroup::Stats,
    previous: Sample,
    now: SystemTime,
    compute: Compute,
) -> TaskStats {
    let wall = now.duration_since(previous.at).unwrap_or(Duration::ZERO);
    let rate = |counter: Option<u64>, before: u64| {
        counter.map(|counter| percent(counter.saturating_sub(before), wall))
    };
    let whole = rate(stats.cpu.usage_nsec, previous.cpu.usage_nsec);
    let memory = &stats.memory;
    TaskStats {
        timestamp: Some(now),
        system_mode_percent: rate(stats.cpu.system_nsec, previous.cpu.system_nsec),
        user_mode_percent: rate(stats.cpu.user_nsec, previous.cpu.user_nsec),
        percent: whole,
        total_ticks: whole.map(|percent| ticks(percent, compute)),
        throttled_periods: stats.cpu.throttled_periods,
        throttled_nsec: stats.cpu.throttled_nsec,
        rss_bytes: memory.rss_bytes,
        cache_bytes: memory.cache_bytes,
        swap_bytes: memory.swap_bytes,
        usage_bytes: memory.usage_bytes,
        max_usage_bytes: memory.peak_bytes,
        kernel_usage_bytes: memory.kernel_usage_bytes,
        kernel_max_usage_bytes: memory.kernel_peak_bytes,
        mapped_file_bytes: memory.mapped_file_bytes,
        pids: stats.pids,
        processes: BTreeMap::new(),
    }
}

/// Of one core.
#[allow(clippy::cast_precision_loss, reason = "a percentage needs no 53 bits")]
fn percent(nsec: u64, wall: Duration) -> f64 {
    if wall.is_zero() {
        0.0
    } else {
        nsec as f64 / wall.as_nanos() as f64 * 100.0
    }
}

/// MHz, as Nomad counts them.
#[allow(clippy::cast_precision_loss, reason = "a percentage needs no 53 bits")]
fn ticks(percent: f64, compute: Compute) -> f64 {
    if compute.cores == 0 {
        0.0
    } else {
        percent / 100.0 * compute.total_mhz as f64 / compute.cores as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPUTE: Compute = Compute {
        total_mhz: 8000,
        cores: 4,
    };

    fn reading(usage_nsec: u64) -> cgroup::Stats {
        cgroup::Stats {
            cpu: cgroup::Cpu {
                usage_nsec: Some(usage_nsec),
                ..Default::default()
            },
            ..Default::default()
        }
    }

    fn sample(usage_nsec: u64) -> Sample {
        Sample {
            at: SystemTime::UNIX_EPOCH,
            cpu: Baseline {
                usage_nsec,
                ..Default::default()
            },
        }
    }

    #[test]
    fn rates_are_of_one_core_since_the_previous_reading() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(2);
        let usage = usage(&reading(3_000_000_000), sample(1_000_000_000), now, COMPUTE);
        assert_eq!(
            (usage.percent, usage.total_ticks),
            (Some(100.0), Some(2000.0))
        );
        assert_eq!(usage.user_mode_percent, None);
    }

    #[test]
    fn a_counter_that_went_back_or_a_clock_that_did_is_no_usage() {
        let second = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        assert_eq!(
            usage(&reading(1), sample(5), second, COMPUTE).percent,
            Some(0.0)
        );
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(
            usage(&reading(9), sample(5), before, COMPUTE).percent,
            Some(0.0)
        );
    }
}
