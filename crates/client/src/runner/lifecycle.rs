//! Which tasks of an allocation may start, and when the others have to end: pure decisions over the tasks' states.
//!
//! ```text
//! prestart ── all ended well, sidecars run ─► main ── none pending ─► poststart ── ended ─► wait
//!     any time: everything but poststop is dead ─► poststop
//! ```
use jobspec::{Hook, Task};

/// What a task is to its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Prestart,
    PrestartSidecar,
    Main,
    Poststart,
    PoststartSidecar,
    Poststop,
}

impl Stage {
    pub(crate) fn of(task: &Task) -> Stage {
        let Some(lifecycle) = task.lifecycle else {
            return Stage::Main;
        };
        match (lifecycle.hook, lifecycle.sidecar) {
            (Hook::Prestart, false) => Stage::Prestart,
            (Hook::Prestart, true) => Stage::PrestartSidecar,
            (Hook::Poststart, false) => Stage::Poststart,
            (Hook::Poststart, true) => Stage::PoststartSidecar,
            (Hook::Poststop, _) => Stage::Poststop,
        }
    }

    pub(crate) fn is_sidecar(self) -> bool {
        matches!(self, Stage::PrestartSidecar | Stage::PoststartSidecar)
    }
}

/// What a task is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskState {
    /// It has not been started, or will be started again.
    Pending,
    Running,
    Dead {
        /// For good, and not because it was to end.
        failed: bool,
    },
}

impl TaskState {
    pub(crate) fn is_dead(self) -> bool {
        matches!(self, TaskState::Dead { .. })
    }
}

/// A task as these decisions see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) stage: Stage,
    pub(crate) leader: bool,
    pub(crate) state: TaskState,
}

/// How far an allocation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Prestart,
    Main,
    Poststart,
    Wait,
    Poststop,
}

/// Opens one stage after the other.
#[derive(Debug)]
pub(crate) struct Coordinator {
    phase: Phase,
}

impl Coordinator {
    pub(crate) fn new() -> Coordinator {
        Coordinator {
            phase: Phase::Prestart,
        }
    }

    /// Takes the tasks' states into account.
    pub(crate) fn update(&mut self, roles: &[Role]) {
        while let Some(next) = self.next(roles) {
            self.phase = next;
        }
    }

    fn next(&self, roles: &[Role]) -> Option<Phase> {
        if self.phase == Phase::Poststop {
            return None;
        }
        if all(roles, |stage| stage != Stage::Poststop, TaskState::is_dead) {
            return Some(Phase::Poststop);
        }
        let is = |wanted| move |stage| stage == wanted;
        let (done, next) = match self.phase {
            Phase::Prestart => (
                all(roles, is(Stage::Prestart), |state| {
                    state == TaskState::Dead { failed: false }
                }) && all(roles, is(Stage::PrestartSidecar), |state| {
                    state == TaskState::Running
                }),
                Phase::Main,
            ),
            Phase::Main => (
                all(roles, is(Stage::Main), |state| state != TaskState::Pending),
                Phase::Poststart,
            ),
            Phase::Poststart => (
                all(roles, is(Stage::Poststart), TaskState::is_dead),
                Phase::Wait,
            ),
            Phase::Wait | Phase::Poststop => return None,
        };
        done.then_some(next)
    }

    /// Whether tasks of this stage may start.
    pub(crate) fn lets(&self, stage: Stage) -> bool {
        let phase = self.phase;
        match stage {
            Stage::Prestart => phase == Phase::Prestart,
            Stage::PrestartSidecar => phase < Phase::Poststop,
            Stage::Main => (Phase::Main..Phase::Poststop).contains(&phase),
            Stage::Poststart => phase == Phase::Poststart,
            Stage::PoststartSidecar => (Phase::Poststart..Phase::Poststop).contains(&phase),
            Stage::Poststop => phase == Phase::Poststop,
        }
    }
}

fn all(roles: &[Role], which: impl Fn(Stage) -> bool, fits: impl Fn(TaskState) -> bool) -> bool {
    let mut chosen = roles.iter().filter(|role| which(role.stage));
    chosen.all(|role| fits(role.state))
}

/// Why the tasks that still live have to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The task at this place failed for good.
    SiblingFailed(usize),
    LeaderDead,
    MainDead,
}

/// Whether the tasks that live have to end. A leader that has done its work goes before tasks that failed.
pub(crate) fn reason_to_end(roles: &[Role]) -> Option<Reason> {
    let live = || {
        let others = roles.iter().filter(|role| role.stage != Stage::Poststop);
        others.filter(|role| !role.state.is_dead())
    };
    live().next()?;
    let mut reason = None;
    for (place, role) in roles.iter().enumerate() {
        match role.state {
            _ if role.stage == Stage::Poststop => {}
            TaskState::Dead { failed: true } => {
                reason = reason.or(Some(Reason::SiblingFailed(place)));
            }
            TaskState::Dead { failed: false } if role.leader => reason = Some(Reason::LeaderDead),
            _ => {}
        }
    }
    let only_sidecars = || live().all(|role| role.stage.is_sidecar());
    reason.or_else(|| only_sidecars().then_some(Reason::MainDead))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: TaskState = TaskState::Dead { failed: false };
    const FAILED: TaskState = TaskState::Dead { failed: true };
    use TaskState::{Pending, Running};

    const STAGES: [Stage; 6] = [
        Stage::Prestart,
        Stage::PrestartSidecar,
        Stage::Main,
        Stage::Poststart,
        Stage::PoststartSidecar,
        Stage::Poststop,
    ];

    fn roles(states: [TaskState; 6]) -> Vec<Role> {
        let role = |(stage, state)| Role {
            stage,
            leader: false,
            state,
        };
        STAGES.into_iter().zip(states).map(role).collect()
    }

    fn let_in(coordinator: &mut Coordinator, states: [TaskState; 6]) -> String {
        coordinator.update(&roles(states));
        let letter = |stage| if coordinator.lets(stage) { 'x' } else { '.' };
        STAGES.map(letter).iter().collect()
    }

    #[test]
    fn stages_open_one_after_the_other() {
        let mut coordinator = Coordinator::new();
        let mut states = [Pending; 6];
        assert_eq!(let_in(&mut coordinator, states), "xx....");
        states[0] = DONE;
        assert_eq!(
            let_in(&mut coordinator, states),
            "xx....",
            "the sidecar does not run yet"
        );
        states[1] = Running;
        assert_eq!(let_in(&mut coordinator, states), ".xx...");
        states[2] = Running;
        assert_eq!(let_in(&mut coordinator, states), ".xxxx.");
        states[3] = FAILED;
        assert_eq!(let_in(&mut coordinator, states), ".xx.x.");
        states[4] = Running;
        assert_eq!(let_in(&mut coordinator, states), ".xx.x.");
        assert_eq!(
            let_in(&mut coordinator, [DONE, DONE, DONE, DONE, DONE, Pending]),
            ".....x"
        );
    }

    #[test]
    fn a_prestart_that_failed_opens_nothing() {
        let mut coordinator = Coordinator::new();
        let states = [FAILED, Running, Pending, Pending, Pending, Pending];
        assert_eq!(let_in(&mut coordinator, states), "xx....");
        assert_eq!(
            reason_to_end(&roles(states)),
            Some(Reason::SiblingFailed(0))
        );
        assert_eq!(
            let_in(&mut coordinator, [FAILED, DONE, DONE, DONE, DONE, Pending]),
            ".....x"
        );
    }

    #[test]
    fn sidecars_end_when_all_others_have() {
        let mut states = [DONE, Running, Running, DONE, Running, Pending];
        assert_eq!(reason_to_end(&roles(states)), None);
        states[2] = DONE;
        assert_eq!(reason_to_end(&roles(states)), Some(Reason::MainDead));
        states[3] = Running;
        assert_eq!(
            reason_to_end(&roles(states)),
            None,
            "a poststart task is awaited"
        );
    }

    #[test]
    fn a_leaders_end_goes_before_a_failure_and_its_failure_is_one() {
        let mut roles = roles([DONE, Running, DONE, FAILED, Running, Pending]);
        assert_eq!(reason_to_end(&roles), Some(Reason::SiblingFailed(3)));
        roles[2].leader = true;
        assert_eq!(reason_to_end(&roles), Some(Reason::LeaderDead));
        roles[2].state = FAILED;
        assert_eq!(reason_to_end(&roles), Some(Reason::SiblingFailed(2)));
    }

    #[test]
    fn nothing_is_to_end_when_nothing_lives() {
        let states = [DONE, DONE, FAILED, DONE, DONE, Running];
        assert_eq!(reason_to_end(&roles(states)), None);
    }
}
