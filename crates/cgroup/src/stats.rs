//! What is read: counters since the cgroup was made.
use std::path::Path;

use crate::{Controller, Error, Paths, file, procs};

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

pub(crate) fn read(paths: &Paths) -> Result<Stats, Error> {
    let memory = match paths.of(Controller::Memory) {
        Some(dir) if paths.is_v2() => v2_memory(dir)?,
        Some(dir) => v1_memory(dir)?,
        None => Memory::default(),
    };
    let cpu = if paths.is_v2() {
        v2_cpu(paths.unified.as_deref())?
    } else {
        v1_cpu(paths)?
    };
    Ok(Stats {
        memory,
        cpu,
        pids: pids(paths)?,
        oom_kills: oom_kills(paths)?,
    })
}

pub(crate) fn oom_kills(paths: &Paths) -> Result<Option<u64>, Error> {
    let name = if paths.is_v2() {
        "memory.events"
    } else {
        "memory.oom_control"
    };
    let Some(dir) = paths.of(Controller::Memory) else {
        return Ok(None);
    };
    Ok(file::read(&dir.join(name))?.and_then(|text| file::keyed(&text, "oom_kill")))
}

fn v2_memory(dir: &Path) -> Result<Memory, Error> {
    let stat = file::read(&dir.join("memory.stat"))?.unwrap_or_default();
    Ok(Memory {
        usage_bytes: file::number(&dir.join("memory.current"))?,
        peak_bytes: file::number(&dir.join("memory.peak"))?,
        rss_bytes: file::keyed(&stat, "anon"),
        cache_bytes: file::keyed(&stat, "file"),
        mapped_file_bytes: file::keyed(&stat, "file_mapped"),
        swap_bytes: file::number(&dir.join("memory.swap.current"))?,
        kernel_usage_bytes: file::keyed(&stat, "kernel"),
        kernel_peak_bytes: None,
    })
}

fn v1_memory(dir: &Path) -> Result<Memory, Error> {
    let stat = file::read(&dir.join("memory.stat"))?.unwrap_or_default();
    Ok(Memory {
        usage_bytes: file::number(&dir.join("memory.usage_in_bytes"))?,
        peak_bytes: file::number(&dir.join("memory.max_usage_in_bytes"))?,
        rss_bytes: file::keyed(&stat, "total_rss"),
        cache_bytes: file::keyed(&stat, "total_cache"),
        mapped_file_bytes: file::keyed(&stat, "total_mapped_file"),
        swap_bytes: file::keyed(&stat, "total_swap"),
        kernel_usage_bytes: file::number(&dir.join("memory.kmem.usage_in_bytes"))?,
        kernel_peak_bytes: file::number(&dir.join("memory.kmem.max_usage_in_bytes"))?,
    })
}

fn v2_cpu(dir: Option<&Path>) -> Result<Cpu, Error> {
    let Some(dir) = dir else {
        return Ok(Cpu::default());
    };
    let stat = file::read(&dir.join("cpu.stat"))?.unwrap_or_default();
    let nsec = |key| file::keyed(&stat, key).map(|usec: u64| usec.saturating_mul(1_000));
    Ok(Cpu {
        usage_nsec: nsec("usage_usec"),
        user_nsec: nsec("user_usec"),
        system_nsec: nsec("system_usec"),
        throttled_periods: file::keyed(&stat, "nr_throttled"),
        throttled_nsec: nsec("throttled_usec"),
    })
}

fn v1_cpu(paths: &Paths) -> Result<Cpu, Error> {
    // The v2 hierarchy counts time also where it has no controllers: it stands in for cpuacct.
    let mut cpu = v2_cpu(paths.unified.as_deref())?;
    if let Some(dir) = paths.of(Controller::Cpuacct) {
        cpu.usage_nsec = file::number(&dir.join("cpuacct.usage"))?.or(cpu.usage_nsec);
        cpu.user_nsec = file::number(&dir.join("cpuacct.usage_user"))?.or(cpu.user_nsec);
        cpu.system_nsec = file::number(&dir.join("cpuacct.usage_sys"))?.or(cpu.system_nsec);
    }
    if let Some(dir) = paths.of(Controller::Cpu) {
        let stat = file::read(&dir.join("cpu.stat"))?.unwrap_or_default();
        cpu.throttled_periods = file::keyed(&stat, "nr_throttled");
        cpu.throttled_nsec = file::keyed(&stat, "throttled_time");
    }
    Ok(cpu)
}

fn pids(paths: &Paths) -> Result<Option<u64>, Error> {
    if let Some(dir) = paths.of(Controller::Pids)
        && let Some(number) = file::number(&dir.join("pids.current"))?
    {
        return Ok(Some(number));
    }
    match paths.own().next() {
        Some(dir) if dir.exists() => Ok(Some(procs::listed(dir)?.len() as u64)),
        _ => Ok(None),
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    fn tree(root: &Path, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let dir = root.join(name);
        fs::create_dir_all(&dir).unwrap();
        for (name, text) in files {
            fs::write(dir.join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn v2_counters_come_in_bytes_and_nanoseconds() {
        let root = tempfile::tempdir().unwrap();
        let files = [
            ("memory.current", "8192\n"),
            ("memory.peak", "16384\n"),
            (
                "memory.stat",
                "anon 4096\nfile 2048\nkernel 1024\nfile_mapped 512\n",
            ),
            ("memory.swap.current", "0\n"),
            (
                "memory.events",
                "low 0\nhigh 0\nmax 9\noom 2\noom_kill 3\noom_group_kill 1\n",
            ),
            (
                "cpu.stat",
                "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 5\nnr_throttled 2\nthrottled_usec 7\n",
            ),
            ("pids.current", "4\n"),
        ];
        let paths = Paths {
            unified: Some(tree(root.path(), "x", &files)),
            ..Paths::default()
        };
        let stats = read(&paths).unwrap();
        let memory = Memory {
            usage_bytes: Some(8192),
            peak_bytes: Some(16384),
            rss_bytes: Some(4096),
            cache_bytes: Some(2048),
            mapped_file_bytes: Some(512),
            swap_bytes: Some(0),
            kernel_usage_bytes: Some(1024),
            kernel_peak_bytes: None,
        };
        let cpu = Cpu {
            usage_nsec: Some(30_000),
            user_nsec: Some(20_000),
            system_nsec: Some(10_000),
            throttled_periods: Some(2),
            throttled_nsec: Some(7_000),
        };
        assert_eq!(
            stats,
            Stats {
                memory,
                cpu,
                pids: Some(4),
                oom_kills: Some(3)
            }
        );
    }

    #[test]
    fn v1_counters_come_from_their_own_directories() {
        let root = tempfile::tempdir().unwrap();
        let memory = [
            ("memory.usage_in_bytes", "8192\n"),
            (
                "memory.stat",
                "rss 1\ncache 1\ntotal_cache 2048\ntotal_rss 4096\ntotal_swap 64\n",
            ),
            ("memory.kmem.usage_in_bytes", "100\n"),
            (
                "memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
            ),
        ];
        let cpuacct = [
            ("cpuacct.usage", "30\n"),
            ("cpuacct.usage_user", "20\n"),
            ("cpuacct.usage_sys", "10\n"),
        ];
        let cpu = [(
            "cpu.stat",
            "nr_periods 0\nnr_throttled 3\nthrottled_time 77\n",
        )];
        let v1 = [
            (Controller::Memory, tree(root.path(), "m", &memory)),
            (Controller::Cpuacct, tree(root.path(), "a", &cpuacct)),
            (Controller::Cpu, tree(root.path(), "c", &cpu)),
        ];
        let stats = read(&Paths {
            v1: v1.into(),
            ..Paths::default()
        })
        .unwrap();
        assert_eq!(
            (stats.memory.usage_bytes, stats.memory.rss_bytes),
            (Some(8192), Some(4096))
        );
        assert_eq!(
            (stats.memory.swap_bytes, stats.memory.peak_bytes),
            (Some(64), None)
        );
        assert_eq!(
            (stats.memory.cache_bytes, stats.memory.kernel_usage_bytes),
            (Some(2048), Some(100))
        );
        assert_eq!(
            (
                stats.cpu.usage_nsec,
                stats.cpu.user_nsec,
                stats.cpu.system_nsec
            ),
            (Some(30), Some(20), Some(10))
        );
        assert_eq!(
            (stats.cpu.throttled_periods, stats.cpu.throttled_nsec),
            (Some(3), Some(77))
        );
        assert_eq!(stats.oom_kills, Some(2));
    }

    #[test]
    fn the_bare_v2_hierarchy_stands_in_for_cpuacct() {
        let root = tempfile::tempdir().unwrap();
        let unified = tree(
            root.path(),
            "u",
            &[("cpu.stat", "usage_usec 5\nuser_usec 4\nsystem_usec 1\n")],
        );
        let v1 = [(Controller::Memory, root.path().join("m"))].into();
        let stats = read(&Paths {
            unified: Some(unified),
            v1,
            ..Paths::default()
        })
        .unwrap();
        assert_eq!(
            (stats.cpu.usage_nsec, stats.cpu.user_nsec),
            (Some(5_000), Some(4_000))
        );
    }

    #[test]
    fn processes_are_counted_where_pids_is_missing() {
        let root = tempfile::tempdir().unwrap();
        let unified = tree(root.path(), "u", &[("cgroup.procs", "5\n6\n")]);
        assert_eq!(
            read(&Paths {
                unified: Some(unified),
                ..Paths::default()
            })
            .unwrap()
            .pids,
            Some(2)
        );
    }

    #[test]
    fn a_cgroup_that_is_gone_has_no_counters() {
        let root = tempfile::tempdir().unwrap();
        let gone = Paths {
            unified: Some(root.path().join("gone")),
            ..Paths::default()
        };
        assert_eq!(read(&gone).unwrap(), Stats::default());
        assert_eq!(read(&Paths::default()).unwrap(), Stats::default());
    }
}
