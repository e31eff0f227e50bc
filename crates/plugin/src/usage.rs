//! The driver's samples → Nomad's TaskStats. What was not measured is left out of the list of measured fields.
use std::collections::BTreeMap;

use driver::{ProcessStats, TaskStats};

use crate::proto::drivers as wire;
use crate::proto::drivers::{cpu_usage, memory_usage};
use crate::wire::timestamp;

pub(crate) fn stats(id: &str, sample: &TaskStats) -> wire::TaskStats {
    wire::TaskStats {
        id: id.to_owned(),
        timestamp: Some(timestamp(sample.timestamp)),
        agg_resource_usage: Some(wire::TaskResourceUsage {
            cpu: Some(cpu(sample)),
            memory: Some(memory(sample)),
        }),
        resource_usage_by_pid: by_pid(sample),
    }
}

fn by_pid(sample: &TaskStats) -> BTreeMap<String, wire::TaskResourceUsage> {
    let one = |(pid, stats): (&i32, &ProcessStats)| (pid.to_string(), of_process(stats));
    sample.processes.iter().map(one).collect()
}

fn of_process(stats: &ProcessStats) -> wire::TaskResourceUsage {
    wire::TaskResourceUsage {
        cpu: Some(cpu(&TaskStats {
            system_mode_percent: Some(stats.system_mode_percent),
            user_mode_percent: Some(stats.user_mode_percent),
            percent: Some(stats.percent),
            ..TaskStats::default()
        })),
        memory: Some(memory(&TaskStats {
            rss_bytes: Some(stats.rss_bytes),
            swap_bytes: Some(stats.swap_bytes),
            ..TaskStats::default()
        })),
    }
}

fn cpu(sample: &TaskStats) -> wire::CpuUsage {
    use cpu_usage::Fields;
    let measured = [
        (Fields::SystemMode, sample.system_mode_percent.is_some()),
        (Fields::UserMode, sample.user_mode_percent.is_some()),
        (Fields::TotalTicks, sample.total_ticks.is_some()),
        (Fields::ThrottledPeriods, sample.throttled_periods.is_some()),
        (Fields::ThrottledTime, sample.throttled_nsec.is_some()),
        (Fields::Percent, sample.percent.is_some()),
    ];
    wire::CpuUsage {
        system_mode: sample.system_mode_percent.unwrap_or_default(),
        user_mode: sample.user_mode_percent.unwrap_or_default(),
        total_ticks: sample.total_ticks.unwrap_or_default(),
        throttled_periods: sample.throttled_periods.unwrap_or_default(),
        throttled_time: sample.throttled_nsec.unwrap_or_default(),
        percent: sample.percent.unwrap_or_default(),
        measured_fields: present(measured),
    }
}

fn memory(sample: &TaskStats) -> wire::MemoryUsage {
    use memory_usage::Fields;
    let measured = [
        (Fields::Rss, sample.rss_bytes.is_some()),
        (Fields::Cache, sample.cache_bytes.is_some()),
        (Fields::MaxUsage, sample.max_usage_bytes.is_some()),
        (Fields::KernelUsage, sample.kernel_usage_bytes.is_some()),
        (
            Fields::KernelMaxUsage,
            sample.kernel_max_usage_bytes.is_some(),
        ),
        (Fields::Usage, sample.usage_bytes.is_some()),
        (Fields::Swap, sample.swap_bytes.is_some()),
    ];
    wire::MemoryUsage {
        rss: sample.rss_bytes.unwrap_or_default(),
        cache: sample.cache_bytes.unwrap_or_default(),
        max_usage: sample.max_usage_bytes.unwrap_or_default(),
        kernel_usage: sample.kernel_usage_bytes.unwrap_or_default(),
        kernel_max_usage: sample.kernel_max_usage_bytes.unwrap_or_default(),
        measured_fields: present(measured),
        usage: sample.usage_bytes.unwrap_or_default(),
        swap: sample.swap_bytes.unwrap_or_default(),
    }
}

fn present<Field: Into<i32>, const N: usize>(fields: [(Field, bool); N]) -> Vec<i32> {
    fields
        .into_iter()
        .filter(|(_, there)| *there)
        .map(|(field, _)| field.into())
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_measured_is_listed() {
        let sample = TaskStats {
            percent: Some(98.5),
            rss_bytes: Some(4096),
            swap_bytes: Some(0),
            ..TaskStats::default()
        };
        let usage = stats("a/t/1", &sample).agg_resource_usage.unwrap();
        let (cpu, memory) = (usage.cpu.unwrap(), usage.memory.unwrap());
        assert_eq!(cpu.measured_fields, [cpu_usage::Fields::Percent as i32]);
        let (rss, swap) = (
            memory_usage::Fields::Rss as i32,
            memory_usage::Fields::Swap as i32,
        );
        assert_eq!(memory.measured_fields, [rss, swap]);
        assert_eq!((cpu.percent, memory.rss), (98.5, 4096));
    }

    #[test]
    fn each_process_has_its_pid_as_text_and_the_fields_that_nomad_measures() {
        let process = ProcessStats {
            rss_bytes: 4096,
            percent: 50.0,
            ..ProcessStats::default()
        };
        let sample = TaskStats {
            processes: BTreeMap::from([(42, process)]),
            ..TaskStats::default()
        };
        let by_pid = stats("a/t/1", &sample).resource_usage_by_pid;
        let cpu = by_pid["42"].cpu.as_ref().unwrap();
        assert_eq!(cpu.percent, 50.0);
        assert_eq!(cpu.measured_fields.len(), 3);
        assert_eq!(
            by_pid["42"].memory.as_ref().unwrap().measured_fields.len(),
            2
        );
    }

    #[test]
    fn every_sub_message_is_there_even_if_nothing_was_measured() {
        let stats = stats("a/t/1", &TaskStats::default());
        let usage = stats.agg_resource_usage.unwrap();
        assert!(stats.timestamp.is_some() && usage.cpu.is_some() && usage.memory.is_some());
    }
}
