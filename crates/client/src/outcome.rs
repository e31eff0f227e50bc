//! The one exit code of a run with any number of tasks.
use jobspec::Group;

use crate::exit;
use crate::runner::allocation::AllocEnd;
use crate::runner::lifecycle::Stage;
use crate::runner::order::TaskEnd;

/// What became of an allocation, for those who wait for it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit code.
    pub(crate) code: u8,
    /// Whether somebody asked for the end.
    pub(crate) stopped: bool,
    /// What became of its tasks, in the order of the file.
    pub(crate) tasks: Vec<TaskEnd>,
}

impl Outcome {
    pub(crate) fn of(group: &Group, end: &AllocEnd, tasks: Vec<TaskEnd>) -> Outcome {
        Outcome {
            code: code(group, end, &tasks),
            stopped: end.stopped,
            tasks,
        }
    }

    /// An end that somebody asked for is no failure, whatever its code.
    pub(crate) fn is_failure(&self) -> bool {
        let faulty = self.tasks.iter().any(|task| task.fault.is_some());
        faulty || (self.code != 0 && !self.stopped)
    }

    /// Whether anything was started at all.
    pub(crate) fn ran(&self) -> bool {
        self.tasks.iter().any(|task| task.ran)
    }
}

/// That of the only task; else the leader's; else that of the first main task that failed for good, else of any other
/// that did; else, when the run was stopped, that of the first main task that did not like it.
fn code(group: &Group, end: &AllocEnd, tasks: &[TaskEnd]) -> u8 {
    if end.time_is_over {
        return exit::TIMEOUT;
    }
    let code = |place: usize| tasks[place].code.unwrap_or(0);
    if tasks.len() == 1 {
        return code(0);
    }
    let is_main = |place: &usize| Stage::of(&group.tasks[*place]) == Stage::Main;
    let leader = group.tasks.iter().position(|task| task.leader);
    if let Some(leader) = leader.filter(|leader| tasks[*leader].ran && !tasks[*leader].killed) {
        return code(leader);
    }
    let mut failures = end.failures.iter().copied();
    let main = failures.clone().find(|place| is_main(place));
    if let Some(place) = main.or_else(|| failures.next()) {
        return code(place);
    }
    if !end.stopped {
        return 0;
    }
    let mains = (0..tasks.len()).filter(is_main);
    mains.map(code).find(|code| *code != 0).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use jobspec::{Hook, Lifecycle};

    fn ended(code: u8) -> TaskEnd {
        TaskEnd {
            ran: true,
            code: Some(code),
            ..TaskEnd::default()
        }
    }

    fn killed(code: u8) -> TaskEnd {
        TaskEnd {
            killed: true,
            ..ended(code)
        }
    }

    /// A prestart task, two main tasks, a sidecar.
    fn group(leader: Option<usize>) -> Group {
        let mut group = samples::job().groups.remove(0);
        group.tasks = vec![samples::task(); 4];
        let hook = Hook::Prestart;
        for (place, sidecar) in [(0, false), (3, true)] {
            group.tasks[place].lifecycle = Some(Lifecycle { hook, sidecar });
        }
        if let Some(leader) = leader {
            group.tasks[leader].leader = true;
        }
        group
    }

    fn of(leader: Option<usize>, failures: &[usize], codes: [TaskEnd; 4]) -> u8 {
        let end = AllocEnd {
            failures: failures.to_vec(),
            ..AllocEnd::default()
        };
        code(&group(leader), &end, &codes)
    }

    #[test]
    fn a_lone_tasks_code_is_its_own() {
        let group = samples::job().groups.remove(0);
        assert_eq!(code(&group, &AllocEnd::default(), &[ended(7)]), 7);
    }

    #[test]
    fn the_leaders_code_counts_unless_it_was_killed() {
        let codes = || [ended(0), ended(3), killed(4), killed(130)];
        assert_eq!(of(Some(1), &[2], codes()), 3);
        assert_eq!(of(Some(2), &[1], codes()), 3);
    }

    #[test]
    fn else_the_first_failure_counts_main_tasks_before_others() {
        let codes = || [ended(9), ended(3), ended(4), killed(130)];
        assert_eq!(of(None, &[2, 1], codes()), 4);
        assert_eq!(of(None, &[0, 1], codes()), 3);
        assert_eq!(of(None, &[0], codes()), 9);
        assert_eq!(of(None, &[], codes()), 0, "ends that were started over");
    }

    #[test]
    fn a_stopped_run_ends_with_the_first_main_task() {
        let end = AllocEnd {
            stopped: true,
            ..AllocEnd::default()
        };
        let codes = [killed(0), killed(0), killed(130), killed(137)];
        assert_eq!(code(&group(None), &end, &codes), 130);
    }

    #[test]
    fn the_end_of_time_is_124() {
        let end = AllocEnd {
            time_is_over: true,
            ..AllocEnd::default()
        };
        let tasks = [killed(130), ended(0), ended(0), ended(0)];
        assert_eq!(code(&group(None), &end, &tasks), 124);
    }
}
