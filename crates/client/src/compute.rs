//! What this node can compute, as Nomad counts it: the cores' base speed, summed.
use std::path::Path;

use driver::Compute;

const CPUS: &str = "/sys/devices/system/cpu";
/// Where nothing tells the speed.
const GUESS_MHZ: u64 = 1000;

/// Looks at this host's cores.
pub(crate) fn compute() -> Compute {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    count(Path::new(CPUS), &info)
}

fn count(cpus: &Path, info: &str) -> Compute {
    let guesses: Vec<u64> = mhz_of_cpuinfo(info).collect();
    let cores = guesses.len().max(1);
    let total = (0..cores)
        .map(|core| {
            base_mhz(cpus, core)
                .or(guesses.get(core).copied())
                .unwrap_or(GUESS_MHZ)
        })
        .sum();
    Compute {
        total_mhz: total,
        cores: cores as u64,
    }
}

fn base_mhz(cpus: &Path, core: usize) -> Option<u64> {
    let directory = cpus.join(format!("cpu{core}/cpufreq"));
    let read = |name: &str| -> Option<u64> {
        std::fs::read_to_string(directory.join(name))
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    read("base_frequency")
        .or_else(|| read("cpuinfo_max_freq"))
        .map(|khz| khz / 1000)
}

/// One number for each core. Where a core does not tell its speed (Arm), a guess.
fn mhz_of_cpuinfo(info: &str) -> impl Iterator<Item = u64> {
    info.split("\n\n")
        .filter(|core| core.lines().any(|line| line.starts_with("processor")))
        .map(|core| {
            let speed = core.lines().find_map(|line| {
                line.strip_prefix("cpu MHz")?
                    .split(':')
                    .nth(1)?
                    .trim()
                    .parse::<f64>()
                    .ok()
            });
            speed.map_or(GUESS_MHZ, |mhz| mhz as u64)
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::testing::Scratch;

    #[test]
    fn the_base_speed_wins_over_the_present_one() {
        let scratch = Scratch::new();
        let cpufreq = scratch.path().join("cpu1/cpufreq");
        std::fs::create_dir_all(&cpufreq).unwrap();
        std::fs::write(cpufreq.join("base_frequency"), "2400000\n").unwrap();
        let info =
            "processor\t: 0\ncpu MHz\t\t: 2999.996\n\nprocessor\t: 1\ncpu MHz\t\t: 3100.1\n\n";
        assert_eq!(
            count(scratch.path(), info),
            Compute {
                total_mhz: 2999 + 2400,
                cores: 2
            }
        );
    }

    #[test]
    fn a_silent_host_is_guessed() {
        assert_eq!(
            count(Path::new("/nonexistent"), ""),
            Compute {
                total_mhz: 1000,
                cores: 1
            }
        );
    }
}
