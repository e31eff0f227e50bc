//! What each process of a task uses, from proc(5).
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::api::ProcessStats;

/// Nomad looks at every process at most this often: a task may have thousands.
const REFRESH: Duration = Duration::from_secs(5);

/// The last look.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    at: Option<SystemTime>,
    times: BTreeMap<i32, Times>,
    found: BTreeMap<i32, ProcessStats>,
}

/// Clock ticks that a process has used; the start time tells it from another one with its pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    start: u64,
    user: u64,
    system: u64,
}

/// Fields of `/proc/<pid>/stat` counted after the name (proc_pid_stat(5): 14, 15, 22 and 24).
const USER: usize = 11;
const SYSTEM: usize = 12;
const START: usize = 19;
const RESIDENT_PAGES: usize = 21;

impl Processes {
    /// What the processes of a cgroup use; rates since the look before.
    pub(crate) fn look(&mut self, pids: &[i32], now: SystemTime) -> BTreeMap<i32, ProcessStats> {
        let age = self.at.map(|at| now.duration_since(at).unwrap_or(REFRESH));
        if age.is_none_or(|age| age >= REFRESH) {
            self.refresh(pids, now, age);
        }
        self.found.clone()
    }

    fn refresh(&mut self, pids: &[i32], now: SystemTime, wall: Option<Duration>) {
        let before = std::mem::take(&mut self.times);
        self.found.clear();
        for pid in pids {
            // One that has ended meanwhile uses nothing.
            let Some((times, resident)) = read(*pid) else {
                continue;
            };
            let known = before.get(pid).filter(|old| old.start == times.start);
            let stats = usage(times, known.copied(), wall, resident, swap(*pid));
            self.times.insert(*pid, times);
            self.found.insert(*pid, stats);
        }
        self.at = Some(now);
    }
}

/// A process that is seen for the first time has used nothing yet, as in Nomad.
fn usage(
    now: Times,
    before: Option<Times>,
    wall: Option<Duration>,
    rss_bytes: u64,
    swap_bytes: u64,
) -> ProcessStats {
    let before = before.unwrap_or(now);
    let user = percent(now.user.saturating_sub(before.user), wall);
    let system = percent(now.system.saturating_sub(before.system), wall);
    ProcessStats {
        rss_bytes,
        swap_bytes,
        user_mode_percent: user,
        system_mode_percent: system,
        percent: user + system,
    }
}

/// Of one core.
#[allow(clippy::cast_precision_loss, reason = "a percentage needs no 53 bits")]
fn percent(ticks: u64, wall: Option<Duration>) -> f64 {
    let wall = wall.unwrap_or_default().as_secs_f64();
    if wall <= 0.0 {
        return 0.0;
    }
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64 / wall * 100.0
}

fn read(pid: i32) -> Option<(Times, u64)> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name is the process's own to choose, with blanks and brackets: only the last bracket ends it.
fn parse(text: &str) -> Option<(Times, u64)> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let times = Times {
        start: number(START)?,
        user: number(USER)?,
        system: number(SYSTEM)?,
    };
    let page = rustix::param::page_size() as u64;
    Some((times, number(RESIDENT_PAGES)?.saturating_mul(page)))
}

/// `VmSwap` of `/proc/<pid>/status`, in kB; a kernel without swap has no such line.
fn swap(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSwap:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    line.unwrap_or(0).saturating_mul(1024)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn times(user: u64, system: u64) -> Times {
        Times {
            start: 1,
            user,
            system,
        }
    }

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let text = "42 (a) R 1 (b) S 1 42 42 0 -1 4194304 100 0 0 0 7 8 0 0 20 0 1 0 900 1000 3 18446744073709551615";
        let (found, resident) = parse(text).unwrap();
        assert_eq!((found.user, found.system, found.start), (7, 8, 900));
        assert_eq!(resident, 3 * rustix::param::page_size() as u64);
    }

    #[test]
    fn rates_are_of_one_core_and_the_first_look_has_none() {
        let second = Some(Duration::from_secs(1));
        let hertz = rustix::param::clock_ticks_per_second();
        let stats = usage(times(hertz, hertz / 2), Some(times(0, 0)), second, 1, 2);
        assert_eq!(
            (stats.user_mode_percent, stats.system_mode_percent),
            (100.0, 50.0)
        );
        assert_eq!(stats.percent, 150.0);
        assert_eq!(usage(times(9, 9), None, second, 0, 0).percent, 0.0);
    }

    #[test]
    fn this_process_is_found_once_in_five_seconds() {
        let mut processes = Processes::default();
        let own = i32::try_from(std::process::id()).unwrap();
        let begin = SystemTime::now();
        let first = processes.look(&[own], begin);
        assert!(first[&own].rss_bytes > 0);
        let soon = processes.look(&[], begin + Duration::from_secs(1));
        assert_eq!(soon, first);
        let later = processes.look(&[], begin + REFRESH);
        assert!(later.is_empty());
    }
}
