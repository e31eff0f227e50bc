//! What another process asks an allocation for (`encamp stop`): its end or that of some of its tasks, in the job's
//! order, with less patience than the job has where that was said. An end that has begun already can be hastened.
//! A task whose work main tasks still wait for ends the allocation with it: they could not start without it, ever.
use std::time::{Duration, Instant};

use signal_hook::consts::SIGINT;

use crate::runner::allocation::{AllocRunner, Seat, Step};
use crate::runner::lifecycle::Stage;
use crate::runner::order::{self, Order};
use crate::runs::{Delay, StopRequest};

/// What of the job's patience does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Haste {
    /// Instead of `kill_timeout`.
    pub(crate) grace: Option<Duration>,
    /// No `shutdown_delay`.
    pub(crate) no_delay: bool,
}

impl Haste {
    pub(super) fn delay(self, of_job: Duration) -> Duration {
        if self.no_delay {
            Duration::ZERO
        } else {
            of_job
        }
    }
}

impl AllocRunner<'_> {
    /// Does what is asked for.
    pub(super) fn asked(&mut self, request: &StopRequest) {
        let order = Order {
            // Between two starts there is no end of the task's whose code the run could have: then it is Ctrl-C's.
            signal: Some(SIGINT),
            haste: Haste {
                grace: request.kill_timeout,
                no_delay: request.shutdown_delay == Delay::Skip,
            },
            ..Order::default()
        };
        let Some(names) = &request.tasks else {
            return self.end_all(order);
        };
        let is_named = |seat: &&Seat<'_>| names.iter().any(|name| name == seat.voice.whose.task);
        if self
            .seats
            .iter()
            .filter(is_named)
            .any(|seat| self.is_awaited(seat))
        {
            return self.end_all(order);
        }
        for seat in self.seats.iter().filter(is_named) {
            seat.kill(order::Message::Kill(order));
        }
    }

    fn is_awaited(&self, seat: &Seat<'_>) -> bool {
        let is_first = matches!(seat.role.stage, Stage::Prestart | Stage::PrestartSidecar);
        let is_begun = |seat: &Seat<'_>| seat.started && seat.role.stage == Stage::Main;
        is_first && seat.is_live() && !self.seats.iter().any(is_begun)
    }

    fn end_all(&mut self, order: Order) {
        self.say_stopped();
        let Some(killing) = &mut self.killing else {
            return self.begin_to_kill(order);
        };
        killing.order = order;
        match &mut killing.step {
            Step::Delay(until) if order.haste.no_delay => *until = Instant::now(),
            Step::Delay(_) => {}
            _ => {
                for seat in self.seats.iter().filter(|seat| seat.stopping.is_asked()) {
                    seat.kill(order::Message::Kill(order));
                }
            }
        }
    }
}
