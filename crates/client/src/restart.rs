//! Nomad's restart policy as a state machine: it is told of each end and says what follows.
use std::time::{Duration, Instant};

use jobspec::{Hook, JobType, Restart, RestartMode, Task};

use crate::duration;
use crate::event::Because;
use crate::runner::hook::Recovery;

/// How one start ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Well,
    Badly,
    /// It did not even begin.
    NotStarted(Recovery),
}

/// What follows an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Start again after this time.
    Restart {
        /// How long to wait.
        after: Duration,
        /// Which start of the present interval it is.
        attempt: u32,
        /// Whether the attempts are used up.
        because: Because,
    },
    /// The task has done what it was for.
    Finished,
    /// No more starts, and why.
    Stop {
        /// In Nomad's words.
        reason: String,
    },
}

/// Counts the ends of one task.
#[derive(Debug)]
pub(crate) struct Tracker {
    policy: Restart,
    restarts_success: bool,
    count: u32,
    interval_began: Instant,
}

/// Nomad's words for a start that is not worth another attempt.
const UNRECOVERABLE: &str = "Error was unrecoverable";

/// At most this part of the delay is added by chance.
const JITTER: f64 = 0.25;

impl Tracker {
    /// The policy of a task in a job of this type. A sidecar is started again as often as it ends, whatever the type.
    pub(crate) fn of(policy: Restart, kind: JobType, task: &Task, now: Instant) -> Tracker {
        let restarts_success = match task.lifecycle {
            Some(lifecycle) => lifecycle.hook != Hook::Poststop && lifecycle.sidecar,
            None => matches!(kind, JobType::Service | JobType::System),
        };
        Tracker::new(policy, restarts_success, now)
    }

    pub(crate) fn new(policy: Restart, restarts_success: bool, now: Instant) -> Tracker {
        Tracker {
            policy,
            restarts_success,
            count: 0,
            interval_began: now,
        }
    }

    pub(crate) fn policy(&self) -> &Restart {
        &self.policy
    }

    /// Decides after an end; `chance` lies in 0..1.
    pub(crate) fn decide(&mut self, ended: Ended, now: Instant, chance: f64) -> Verdict {
        if ended == Ended::Well && !self.restarts_success {
            return Verdict::Finished;
        }
        if self.policy.attempts == 0 {
            return Verdict::Stop {
                reason: "Policy allows no restarts".to_owned(),
            };
        }
        if ended == Ended::NotStarted(Recovery::GiveUp) {
            return Verdict::Stop {
                reason: UNRECOVERABLE.to_owned(),
            };
        }
        self.count_end(now);
        if self.count <= self.policy.attempts {
            return Verdict::Restart {
                after: self.jittered(chance),
                attempt: self.count,
                because: Because::WithinPolicy,
            };
        }
        self.exceeded(now)
    }

    fn count_end(&mut self, now: Instant) {
        if now > self.interval_began + self.policy.interval {
            self.count = 0;
            self.interval_began = now;
        }
        self.count += 1;
    }

    fn jittered(&self, chance: f64) -> Duration {
        self.policy.delay + self.policy.delay.mul_f64(chance.clamp(0.0, 1.0) * JITTER)
    }

    fn exceeded(&self, now: Instant) -> Verdict {
        match self.policy.mode {
            RestartMode::Fail => Verdict::Stop {
                reason: self.exceeded_reason(),
            },
            RestartMode::Delay => {
                let end = self.interval_began + self.policy.interval;
                Verdict::Restart {
                    after: end.saturating_duration_since(now),
                    attempt: self.count,
                    because: Because::Delay,
                }
            }
        }
    }

    fn exceeded_reason(&self) -> String {
        let interval = duration::spell(self.policy.interval);
        format!(
            "Exceeded allowed attempts {} in interval {interval} and mode is \"fail\"",
            self.policy.attempts
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    const SECOND: Duration = Duration::from_secs(1);

    fn restart_after(after: Duration, attempt: u32) -> Verdict {
        Verdict::Restart {
            after,
            attempt,
            because: Because::WithinPolicy,
        }
    }

    fn exceeded() -> Verdict {
        Verdict::Stop {
            reason: "Exceeded allowed attempts 2 in interval 30m0s and mode is \"fail\"".to_owned(),
        }
    }

    #[test]
    fn a_failing_task_is_restarted_as_often_as_the_policy_says() {
        let now = Instant::now();
        let mut tracker = Tracker::new(samples::restart(), false, now);
        assert_eq!(
            tracker.decide(Ended::Badly, now + SECOND, 0.0),
            restart_after(15 * SECOND, 1)
        );
        assert_eq!(
            tracker.decide(Ended::Badly, now + 20 * SECOND, 0.0),
            restart_after(15 * SECOND, 2)
        );
        assert_eq!(
            tracker.decide(Ended::Badly, now + 40 * SECOND, 0.0),
            exceeded()
        );
    }

    #[test]
    fn success_restarts_services_and_not_batches() {
        let now = Instant::now();
        for (kind, restarts) in [
            (JobType::Service, true),
            (JobType::System, true),
            (JobType::Batch, false),
            (JobType::Sysbatch, false),
        ] {
            let tracker = |task: &Task| Tracker::of(samples::restart(), kind, task, now);
            let verdict = tracker(&samples::task()).decide(Ended::Well, now, 0.0);
            assert_eq!(
                verdict == restart_after(15 * SECOND, 1),
                restarts,
                "{kind:?}"
            );
            assert_eq!(verdict == Verdict::Finished, !restarts, "{kind:?}");
        }
    }

    #[test]
    fn chance_adds_up_to_a_quarter() {
        let now = Instant::now();
        let mut tracker = Tracker::new(samples::restart(), false, now);
        assert_eq!(
            tracker.decide(Ended::Badly, now, 1.0),
            restart_after(Duration::from_millis(18_750), 1)
        );
        assert_eq!(
            tracker.decide(Ended::Badly, now, 0.5),
            restart_after(Duration::from_millis(16_875), 2)
        );
    }

    #[test]
    fn a_new_interval_counts_anew() {
        let now = Instant::now();
        let mut tracker = Tracker::new(samples::restart(), false, now);
        tracker.decide(Ended::Badly, now, 0.0);
        tracker.decide(Ended::Badly, now, 0.0);
        assert_eq!(
            tracker.decide(Ended::Badly, now + 1801 * SECOND, 0.0),
            restart_after(15 * SECOND, 1)
        );
        assert_eq!(
            tracker.decide(Ended::Badly, now + 1802 * SECOND, 0.0),
            restart_after(15 * SECOND, 2)
        );
        assert_eq!(
            tracker.decide(Ended::Badly, now + 1803 * SECOND, 0.0),
            exceeded()
        );
    }

    #[test]
    fn mode_delay_waits_for_the_end_of_the_interval() {
        let now = Instant::now();
        let policy = Restart {
            attempts: 1,
            mode: RestartMode::Delay,
            ..samples::restart()
        };
        let mut tracker = Tracker::new(policy, false, now);
        tracker.decide(Ended::Badly, now, 0.0);
        let waits = Verdict::Restart {
            after: 1790 * SECOND,
            attempt: 2,
            because: Because::Delay,
        };
        assert_eq!(tracker.decide(Ended::Badly, now + 10 * SECOND, 1.0), waits);
        assert_eq!(
            tracker.decide(Ended::Badly, now + 1801 * SECOND, 0.0),
            restart_after(15 * SECOND, 1)
        );
    }

    #[test]
    fn no_attempts_means_no_restarts() {
        let now = Instant::now();
        let policy = Restart {
            attempts: 0,
            ..samples::restart()
        };
        let stop = Verdict::Stop {
            reason: "Policy allows no restarts".to_owned(),
        };
        assert_eq!(
            Tracker::new(policy.clone(), true, now).decide(Ended::Well, now, 0.0),
            stop
        );
        assert_eq!(
            Tracker::new(policy.clone(), false, now).decide(Ended::Badly, now, 0.0),
            stop
        );
        assert_eq!(
            Tracker::new(policy, false, now).decide(Ended::Well, now, 0.0),
            Verdict::Finished
        );
    }
}
