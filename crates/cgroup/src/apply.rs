//! Writing limits, and the arithmetic between the units of v1 and v2.
use std::path::PathBuf;

use crate::{Bound, Controller, Error, Limits, Paths, Quota, Refusal, devices, file};

/// Smallest quota, smallest and largest period in microseconds (`kernel/sched/core.c`, `min_bw_quota_period_ns`;
/// `Documentation/scheduler/sched-bwc.rst`).
const QUOTA_MIN_USEC: u64 = 1_000;
const PERIOD_MAX_USEC: u64 = 1_000_000;

pub(crate) fn apply(paths: &Paths, limits: &Limits) -> Result<Vec<Refusal>, Error> {
    let mut writer = Writer {
        paths,
        refusals: Vec::new(),
    };
    if let Some(cpus) = &limits.cpuset_cpus {
        writer.must(Controller::Cpuset, "cpuset.cpus", cpus)?;
    }
    if paths.is_v2() {
        writer.v2(limits)?;
    } else {
        writer.v1(limits)?;
    }
    if let Some(bound) = limits.pids_max {
        writer.must(Controller::Pids, "pids.max", &v2_text(bound))?;
    }
    if let Some(rules) = &limits.devices {
        writer.refusals.extend(devices::apply(paths, rules)?);
    }
    Ok(writer.refusals)
}

struct Writer<'a> {
    paths: &'a Paths,
    refusals: Vec<Refusal>,
}

impl Writer<'_> {
    fn v2(&mut self, limits: &Limits) -> Result<(), Error> {
        if let Some(bound) = limits.memory_max_bytes {
            self.must(Controller::Memory, "memory.max", &v2_text(bound))?;
        }
        if let Some(bytes) = limits.memory_low_bytes {
            self.may(Controller::Memory, "memory.low", &bytes.to_string());
        }
        match limits.swap_max_bytes {
            Some(Bound::Unlimited) if !self.has(Controller::Memory, "memory.swap.max") => {}
            Some(bound) => self.may(Controller::Memory, "memory.swap.max", &v2_text(bound)),
            None => {}
        }
        if let Some(is_group) = limits.oom_group {
            self.may(
                Controller::Memory,
                "memory.oom.group",
                if is_group { "1" } else { "0" },
            );
        }
        if let Some(shares) = limits.cpu_shares {
            self.may(Controller::Cpu, "cpu.weight", &weight(shares).to_string());
        }
        if let Some(quota) = limits.cpu_quota {
            let Quota {
                quota_usec,
                period_usec,
            } = accepted(quota);
            self.must(
                Controller::Cpu,
                "cpu.max",
                &format!("{quota_usec} {period_usec}"),
            )?;
        }
        Ok(())
    }

    fn v1(&mut self, limits: &Limits) -> Result<(), Error> {
        self.v1_memory(limits)?;
        if let Some(bytes) = limits.memory_low_bytes {
            // 0 would ask for reclaim down to nothing, the opposite of `memory.low = 0`.
            let value = if bytes == 0 {
                "-1".to_owned()
            } else {
                bytes.to_string()
            };
            self.may(Controller::Memory, "memory.soft_limit_in_bytes", &value);
        }
        if limits.oom_group == Some(true) {
            self.refuse("memory.oom.group", "cgroup v1 kills one process at a time");
        }
        if let Some(shares) = limits.cpu_shares {
            self.may(Controller::Cpu, "cpu.shares", &shares.to_string());
        }
        match limits.cpu_quota {
            Some(quota) => self.v1_quota(accepted(quota)),
            None => Ok(()),
        }
    }

    /// The kernel keeps memory ≤ memory + swap at every write, so what comes first depends on the old values
    /// (`Documentation/admin-guide/cgroup-v1/memory.rst`).
    fn v1_memory(&mut self, limits: &Limits) -> Result<(), Error> {
        const LIMIT: &str = "memory.limit_in_bytes";
        const WITH_SWAP: &str = "memory.memsw.limit_in_bytes";
        let Some(dir) = self.paths.of(Controller::Memory) else {
            return self.v1_without_memory(limits);
        };
        let memory = match limits.memory_max_bytes {
            Some(bound) => as_bytes(bound),
            None => file::number(&dir.join(LIMIT))?.unwrap_or(u64::MAX),
        };
        let old_sum = file::number(&dir.join(WITH_SWAP))?;
        let sum = match (limits.swap_max_bytes, old_sum) {
            (Some(bound), Some(_)) => Some(memory.saturating_add(as_bytes(bound))),
            (None, Some(old)) if memory > old => Some(u64::MAX),
            _ => None,
        };
        if matches!((limits.swap_max_bytes, old_sum), (Some(Bound::At(_)), None)) {
            self.refuse(WITH_SWAP, "this kernel does no swap accounting");
        }
        let raises = sum > old_sum;
        if let Some(sum) = sum.filter(|_| raises) {
            self.may(Controller::Memory, WITH_SWAP, &v1_text(sum));
        }
        if limits.memory_max_bytes.is_some() {
            self.must(Controller::Memory, LIMIT, &v1_text(memory))?;
            // As Nomad does where the kernel lets it: a limit that swaps out is not one.
            let _ = file::try_write(&dir.join("memory.swappiness"), "0");
        }
        if let Some(sum) = sum.filter(|_| !raises) {
            self.may(Controller::Memory, WITH_SWAP, &v1_text(sum));
        }
        Ok(())
    }

    fn v1_without_memory(&mut self, limits: &Limits) -> Result<(), Error> {
        match limits.memory_max_bytes {
            Some(bound) => self.must(
                Controller::Memory,
                "memory.limit_in_bytes",
                &v1_text(as_bytes(bound)),
            ),
            None => Ok(()),
        }
    }

    /// The old quota with the new period may be more than a parent has, which the kernel refuses: it is lifted first.
    fn v1_quota(&mut self, quota: Quota) -> Result<(), Error> {
        const QUOTA: &str = "cpu.cfs_quota_us";
        const PERIOD: &str = "cpu.cfs_period_us";
        let old = self
            .paths
            .of(Controller::Cpu)
            .map(|dir| file::number(&dir.join(PERIOD)))
            .transpose()?
            .flatten();
        if old != Some(quota.period_usec) {
            self.must(Controller::Cpu, QUOTA, "-1")?;
            self.must(Controller::Cpu, PERIOD, &quota.period_usec.to_string())?;
        }
        self.must(Controller::Cpu, QUOTA, &quota.quota_usec.to_string())
    }

    fn must(&self, controller: Controller, name: &str, value: &str) -> Result<(), Error> {
        match self.path(controller, name) {
            Some(path) => file::write(&path, value),
            None => {
                let reason = format!(
                    "it has no {} directory of its own, so {name} cannot be set",
                    controller.name()
                );
                Err(Error::unusable(&self.paths.first(), &reason))
            }
        }
    }

    fn may(&mut self, controller: Controller, name: &str, value: &str) {
        match self
            .path(controller, name)
            .map(|path| file::try_write(&path, value))
        {
            Some(Ok(())) => {}
            Some(Err(error)) if file::is_absent(&error) => {
                self.refuse(name, "this kernel has no such file")
            }
            Some(Err(error)) => self.refuse(name, &format!("{value} was not taken: {error}")),
            None => self.refuse(
                name,
                &format!("there is no {} directory", controller.name()),
            ),
        }
    }

    fn refuse(&mut self, name: &str, reason: &str) {
        self.refusals.push(Refusal {
            file: name.to_owned(),
            reason: reason.to_owned(),
        });
    }

    fn has(&self, controller: Controller, name: &str) -> bool {
        self.path(controller, name)
            .is_some_and(|path| path.exists())
    }

    fn path(&self, controller: Controller, name: &str) -> Option<PathBuf> {
        Some(self.paths.of(controller)?.join(name))
    }
}

fn v2_text(bound: Bound) -> String {
    match bound {
        Bound::Unlimited => "max".to_owned(),
        Bound::At(number) => number.to_string(),
    }
}

fn as_bytes(bound: Bound) -> u64 {
    match bound {
        Bound::Unlimited => u64::MAX,
        Bound::At(bytes) => bytes,
    }
}

fn v1_text(bytes: u64) -> String {
    if bytes > i64::MAX as u64 {
        "-1".to_owned()
    } else {
        bytes.to_string()
    }
}

/// The v2 weight for v1 shares: a curve through (2, 1), (1024, 100) and (262144, 10000), as runc draws it.
fn weight(shares: u64) -> u64 {
    match shares {
        0..=2 => 1,
        262_144.. => 10_000,
        _ => {
            let l = (shares as f64).log2();
            let exponent = (l * l + 125.0 * l) / 612.0 - 7.0 / 34.0;
            // The small part keeps 10^2.0000000000000004 from becoming 101.
            ((10f64.powf(exponent) - 1e-9).ceil() as u64).clamp(1, 10_000)
        }
    }
}

/// A quota that the kernel takes: below its minimum the period is stretched first, which keeps the share of time, and
/// only where that is not enough the quota is raised.
fn accepted(
    Quota {
        quota_usec,
        period_usec,
    }: Quota,
) -> Quota {
    let shortest = quota_usec.min(period_usec);
    let factor = QUOTA_MIN_USEC.div_ceil(shortest.max(1));
    let period = period_usec
        .saturating_mul(factor)
        .clamp(QUOTA_MIN_USEC, PERIOD_MAX_USEC);
    let quota = match period_usec {
        0 => quota_usec,
        _ => u64::try_from(u128::from(quota_usec) * u128::from(period) / u128::from(period_usec))
            .unwrap_or(u64::MAX),
    };
    Quota {
        quota_usec: quota.max(QUOTA_MIN_USEC),
        period_usec: period,
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
