//! Carries out what [`super::lifecycle`] decides: tells tasks to start and to end, in Nomad's order.
//!
//! The end of an allocation: the group's `shutdown_delay`, then the leader, then the main tasks, then the sidecars, one
//! after the other; then poststop tasks are started, unless the group's time was over.
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use crate::event::TaskEvent;
use crate::message::Inbox;
use crate::runner::chronicle::Voice;
use crate::runner::hook::Stopping;
use crate::runner::lifecycle::{Coordinator, Reason, Role, Stage, TaskState, reason_to_end};
use crate::runner::order::{self, Order};
use crate::runs::StopRequest;

/// What an allocation's runner hears of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// A signal was sent to us.
    Stop(i32),
    /// Another one.
    KillNow(i32),
    /// Another process asks for something.
    Asked(StopRequest),
    /// What the task at this place does from now on.
    Task(usize, TaskState),
}

/// Nomad's words for it.
const TIME_IS_OVER: &str = "allocation exceeded max_run_duration";

/// A task as its allocation sees it.
pub(crate) struct Seat<'a> {
    pub(crate) voice: Voice<'a>,
    pub(crate) role: Role,
    pub(crate) to: Sender<order::Message>,
    pub(crate) stopping: Stopping,
    /// Whether it was told to start.
    pub(crate) started: bool,
}

impl Seat<'_> {
    pub(super) fn is_live(&self) -> bool {
        !self.role.state.is_dead()
    }

    pub(super) fn kill(&self, message: order::Message) {
        self.stopping.ask();
        let _ = self.to.send(message);
    }
}

/// How long a group may take.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    /// `shutdown_delay`.
    pub(crate) shutdown_delay: Duration,
    /// `max_run_duration`.
    pub(crate) max_run_duration: Option<Duration>,
}

/// Everything the loop works with.
pub(crate) struct AllocRunner<'a> {
    pub(crate) seats: Vec<Seat<'a>>,
    pub(crate) inbox: Inbox<Message>,
    pub(crate) times: Times,
    coordinator: Coordinator,
    pub(super) killing: Option<Killing>,
    pub(super) end: AllocEnd,
}

/// What became of an allocation; what became of its tasks they say themselves.
#[derive(Debug, Default)]
pub(crate) struct AllocEnd {
    /// The places of tasks that failed for good, in the order in which they did.
    pub(crate) failures: Vec<usize>,
    /// Whether it took longer than it was allowed.
    pub(crate) time_is_over: bool,
    /// Whether somebody asked for its end, before a failure began it.
    pub(crate) stopped: bool,
}

/// An end that is being made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Killing {
    pub(super) order: Order,
    pub(super) step: Step,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Delay(Instant),
    Leader,
    Mains,
    Sidecars,
    Done,
}

impl<'a> AllocRunner<'a> {
    pub(crate) fn new(
        seats: Vec<Seat<'a>>,
        inbox: Inbox<Message>,
        times: Times,
    ) -> AllocRunner<'a> {
        AllocRunner {
            seats,
            inbox,
            times,
            coordinator: Coordinator::new(),
            killing: None,
            end: AllocEnd::default(),
        }
    }

    /// Runs the tasks to their ends.
    pub(crate) fn run(mut self) -> AllocEnd {
        let most = self.times.max_run_duration;
        let mut deadline = most.and_then(|most| Instant::now().checked_add(most));
        loop {
            self.act();
            if !self.seats.iter().any(Seat::is_live) {
                return self.end;
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                deadline = None;
                self.end_of_time();
                continue;
            }
            let ends = [deadline, self.delayed_until()];
            if let Some(message) = self.inbox.next_until(ends.into_iter().flatten().min()) {
                self.hear(message);
            }
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Stop(signal) => {
                self.say_stopped();
                self.begin_to_kill(Order {
                    signal: Some(signal),
                    ..Order::default()
                });
            }
            Message::KillNow(signal) => self.kill_now(signal),
            Message::Asked(request) => self.asked(&request),
            Message::Task(place, state) => {
                self.seats[place].role.state = state;
                if state == (TaskState::Dead { failed: true }) {
                    self.end.failures.push(place);
                }
            }
        }
    }

    /// Does what follows from the tasks' states.
    fn act(&mut self) {
        let roles: Vec<Role> = self.seats.iter().map(|seat| seat.role).collect();
        if self.killing.is_none()
            && let Some(reason) = reason_to_end(&roles)
        {
            self.say_why(reason);
            self.begin_to_kill(Order::default());
        }
        self.go_on_killing();
        if self
            .killing
            .is_none_or(|killing| matches!(killing.step, Step::Done))
        {
            self.coordinator.update(&roles);
            self.start();
        }
    }

    fn start(&mut self) {
        for seat in &mut self.seats {
            let pending = seat.role.state == TaskState::Pending && !seat.started;
            if pending && self.coordinator.lets(seat.role.stage) {
                seat.started = true;
                let _ = seat.to.send(order::Message::Start);
            }
        }
    }

    fn say_why(&self, reason: Reason) {
        for seat in self
            .seats
            .iter()
            .filter(|seat| is_live_before_poststop(seat))
        {
            seat.voice.say(match reason {
                Reason::SiblingFailed(place) => TaskEvent::SiblingFailed {
                    sibling: self.seats[place].voice.whose.task,
                },
                Reason::LeaderDead => TaskEvent::LeaderDead,
                Reason::MainDead => TaskEvent::MainDead,
            });
        }
    }

    pub(super) fn begin_to_kill(&mut self, order: Order) {
        if self.killing.is_some() {
            return;
        }
        let delay = order.haste.delay(self.times.shutdown_delay);
        let mut live = self
            .seats
            .iter()
            .filter(|seat| is_live_before_poststop(seat));
        let first = live.next();
        let now = Instant::now();
        let until = match first {
            Some(first) if !delay.is_zero() => {
                first.voice.say(TaskEvent::GroupShutdownDelay { delay });
                now.checked_add(delay).unwrap_or(now)
            }
            _ => now,
        };
        let step = Step::Delay(until);
        self.killing = Some(Killing { order, step });
    }

    fn delayed_until(&self) -> Option<Instant> {
        match self.killing?.step {
            Step::Delay(until) => Some(until),
            _ => None,
        }
    }

    /// Takes one step after the other, each when the tasks of the one before have ended.
    fn go_on_killing(&mut self) {
        while let Some(Killing { order, step }) = self.killing {
            let (is_over, next) = match step {
                Step::Delay(until) => (Instant::now() >= until, Step::Leader),
                Step::Leader => (!self.any_live(step), Step::Mains),
                Step::Mains => (!self.any_live(step), Step::Sidecars),
                Step::Sidecars => (!self.any_live(step), Step::Done),
                Step::Done => return,
            };
            if !is_over {
                return;
            }
            self.killing = Some(Killing { order, step: next });
            for seat in self
                .seats
                .iter()
                .filter(|seat| seat.is_live() && concerns(next, seat))
            {
                seat.kill(order::Message::Kill(order));
            }
        }
    }

    fn any_live(&self, step: Step) -> bool {
        let mut seats = self.seats.iter();
        seats.any(|seat| seat.is_live() && concerns(step, seat))
    }

    /// Somebody asks for the end. One that a failure has begun stays a failure's.
    pub(super) fn say_stopped(&mut self) {
        self.end.stopped |= self.end.failures.is_empty();
    }

    fn kill_now(&mut self, signal: i32) {
        self.say_stopped();
        let order = Order {
            signal: Some(signal),
            ..Order::default()
        };
        let step = Step::Done;
        self.killing = Some(Killing { order, step });
        for seat in self.seats.iter().filter(|seat| seat.is_live()) {
            seat.kill(order::Message::KillNow(order));
        }
    }

    /// As in Nomad, no poststop task is started any more, and one that runs is ended.
    fn end_of_time(&mut self) {
        self.end.time_is_over = !self.end.stopped;
        let order = Order {
            reason: Some(TIME_IS_OVER),
            ..Order::default()
        };
        let mut live = self.seats.iter().filter(|seat| seat.is_live());
        if let (Some(first), Some(most)) = (live.next(), self.times.max_run_duration) {
            first.voice.say(TaskEvent::TimeIsOver {
                max_run_duration: most,
            });
        }
        let is_poststop = |seat: &&Seat<'_>| seat.role.stage == Stage::Poststop;
        for seat in self.seats.iter().filter(is_poststop) {
            seat.kill(order::Message::Kill(order));
        }
        self.begin_to_kill(order);
    }
}

fn is_live_before_poststop(seat: &Seat<'_>) -> bool {
    seat.is_live() && seat.role.stage != Stage::Poststop
}

/// Whether a step is this task's.
fn concerns(step: Step, seat: &Seat<'_>) -> bool {
    let Role { stage, leader, .. } = seat.role;
    let is_rest = !leader && stage != Stage::Poststop;
    match step {
        Step::Delay(_) | Step::Done => false,
        Step::Leader => leader && stage != Stage::Poststop,
        Step::Mains => is_rest && !stage.is_sidecar(),
        Step::Sidecars => is_rest && stage.is_sidecar(),
    }
}
