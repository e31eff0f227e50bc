//! The life of one task in the foreground: start, wait, restart, and signals at any moment.
//!
//! ```text
//!            ┌────────────── restart ◄──────────── policy ─► end
//!            ▼                  ▲                    ▲
//! start ─► attend ── ended ─────┴── not stopped ─────┘
//!            │ 1st signal: kill_signal, kill_timeout   2nd: SIGKILL to all
//!            ▼
//!          attend ── ended, stopped ─► end
//! ```
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use driver::{ExitResult, StartError, TaskConfig};
use jobspec::Restart;

use crate::error::{Attempt, HostError};
use crate::event::Event;
use crate::message::{Inbox, Message};
use crate::output::Pumps;
use crate::restart::{Tracker, Verdict};
use crate::running::{Running, Starts};
use crate::{exit, ids};

/// How the task is asked to end.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    /// `kill_signal`.
    pub(crate) signal: String,
    /// `kill_timeout`, capped.
    pub(crate) grace: Duration,
}

/// How long a reader of our output may sleep when the task was stopped; after an end of its own it may for ever.
const READER: Duration = Duration::from_secs(3);

/// The end of it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The exit code.
    pub(crate) code: u8,
    /// Whether somebody asked for the end.
    pub(crate) stopped: bool,
}

/// Why there is no outcome.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The task was not started.
    Start(StartError),
    /// It was, and then lost sight of.
    Lost(driver::Error),
    /// The host.
    Host(HostError),
}

/// Everything the loop works with.
pub(crate) struct Supervision<'a, S: Starts> {
    pub(crate) driver: &'a S,
    pub(crate) task: TaskConfig,
    pub(crate) stop: Stop,
    pub(crate) policy: Restart,
    pub(crate) tracker: Tracker,
    pub(crate) pumps: &'a Pumps,
    pub(crate) inbox: &'a mut Inbox,
    pub(crate) tell: &'a mut dyn FnMut(Event<'_>),
    /// Whether the task was ever started.
    pub(crate) ran: bool,
}

/// One start's end.
struct End {
    result: ExitResult,
    stopped: bool,
}

impl<S: Starts> Supervision<'_, S> {
    /// Runs the task until its policy or a signal ends it.
    pub(crate) fn run(&mut self) -> Result<Outcome, Failure> {
        loop {
            let end = self.run_once()?;
            let code = exit::of_task(&end.result);
            if end.stopped {
                return Ok(Outcome {
                    code,
                    stopped: true,
                });
            }
            if let Some(outcome) = self.between(&end.result, code)? {
                return Ok(outcome);
            }
        }
    }

    fn run_once(&mut self) -> Result<End, Failure> {
        self.task.id = ids::task_id(&self.task.alloc_id, &self.task.name).map_err(Failure::Host)?;
        let began = Instant::now();
        let running = Arc::new(self.driver.start(&self.task).map_err(Failure::Start)?);
        self.ran = true;
        self.tell_of_start(&*running);
        let end = self.attend(&running, began);
        let destroyed = running.destroy().map_err(Failure::Lost);
        let end = end?;
        destroyed?;
        Ok(end)
    }

    fn tell_of_start(&mut self, running: &S::Task) {
        let facts = running.facts();
        (self.tell)(Event::Started {
            alloc_id: &self.task.alloc_id,
            pid: facts.pid.as_deref(),
        });
        for refusal in &facts.refusals {
            (self.tell)(Event::Refused(refusal));
        }
        for lacking in &facts.lacking {
            (self.tell)(Event::Lacking(lacking));
        }
        if let Some(landlock) = &facts.landlock {
            (self.tell)(Event::Landlock(landlock));
        }
    }

    /// Waits for the end and passes signals on.
    fn attend(&mut self, running: &Arc<S::Task>, began: Instant) -> Result<End, Failure> {
        self.in_thread("wait", running, |running| {
            Some(Message::Ended(running.wait()))
        })?;
        let mut asked: Option<Instant> = None;
        let result = loop {
            match self.inbox.next() {
                Message::Ended(result) => break result,
                Message::Signal(_) if asked.is_none() => {
                    asked = Some(Instant::now());
                    self.ask_to_end(running)?;
                }
                Message::Signal(_) => self.kill(running)?,
                Message::StopFailed(error) => {
                    (self.tell)(Event::StopFailed(&error));
                    self.kill(running)?;
                }
                Message::OutputLost(stream, source) => (self.tell)(Event::OutputLost {
                    stream,
                    source: &source,
                }),
                Message::Drained => {}
            }
        };
        let ended = Instant::now();
        let result = result.map_err(Failure::Lost)?;
        let patience = asked.map_or(Duration::MAX, |_| READER);
        self.pumps.drain(self.inbox, patience);
        self.tell_of_end(&result, ended - began, asked.map(|asked| ended - asked));
        Ok(End {
            result,
            stopped: asked.is_some(),
        })
    }

    fn tell_of_end(&mut self, result: &ExitResult, lived: Duration, stopping: Option<Duration>) {
        let code = exit::of_task(result);
        (self.tell)(Event::Exited {
            result,
            code,
            lived,
            stopped: stopping.is_some(),
            took: stopping.unwrap_or_default(),
        });
    }

    fn ask_to_end(&mut self, running: &Arc<S::Task>) -> Result<(), Failure> {
        let stop = self.stop.clone();
        (self.tell)(Event::Stopping {
            signal: &stop.signal,
            grace: stop.grace,
        });
        self.in_thread("stop", running, move |running| {
            running
                .stop(&stop.signal, stop.grace)
                .err()
                .map(Message::StopFailed)
        })
    }

    fn kill(&mut self, running: &Arc<S::Task>) -> Result<(), Failure> {
        (self.tell)(Event::Killing);
        // Not told when it fails: the polite stop that goes on beside it kills too, and an end of the task ends both.
        self.in_thread("kill", running, |running| {
            let _ = running.stop("SIGKILL", Duration::ZERO);
            None
        })
    }

    fn in_thread<F>(&self, name: &str, running: &Arc<S::Task>, ask: F) -> Result<(), Failure>
    where
        F: FnOnce(&S::Task) -> Option<Message> + Send + 'static,
    {
        let (running, to) = (Arc::clone(running), self.inbox.sender());
        let act = move || ask(&running).map(|message| to.send(message));
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(act);
        spawned
            .attempt(|| "start a thread".to_owned())
            .map_err(Failure::Host)
            .map(drop)
    }

    /// What follows an end that nobody asked for. `None`: another start.
    fn between(&mut self, result: &ExitResult, code: u8) -> Result<Option<Outcome>, Failure> {
        let success = result.exit_code == 0 && result.signal == 0 && result.error.is_none();
        let chance = f64::from(ids::random().map_err(Failure::Host)?) / f64::from(u32::MAX);
        match self.tracker.decide(success, Instant::now(), chance) {
            Verdict::Finished => Ok(Some(Outcome {
                code,
                stopped: false,
            })),
            Verdict::Stop { reason } => {
                (self.tell)(Event::NotRestarting { reason: &reason });
                Ok(Some(Outcome {
                    code,
                    stopped: false,
                }))
            }
            Verdict::Restart {
                after,
                attempt,
                within_policy,
            } => {
                let (attempts, interval) = (self.policy.attempts, self.policy.interval);
                (self.tell)(Event::Restarting {
                    after,
                    attempt,
                    attempts,
                    interval,
                    within_policy,
                });
                Ok(self.pause(after))
            }
        }
    }

    /// A signal between two starts ends the run as it would end any program.
    fn pause(&mut self, after: Duration) -> Option<Outcome> {
        let signal = self.inbox.signal_before(Instant::now() + after)?;
        Some(Outcome {
            code: exit::of_signal(signal),
            stopped: true,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::fs::File;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Condvar, Mutex};

    use jobspec::{JobType, RestartMode};

    use super::*;
    use crate::dirs::Dir;
    use crate::output::Output;
    use crate::samples;
    use crate::testing::Scratch;

    /// A task that ends as its script says: at once, or when it is stopped.
    struct Script {
        ends: Mutex<Vec<Act>>,
        asked: Sender<String>,
    }

    #[derive(Clone, Copy)]
    enum Act {
        Exit(i32),
        UntilStopped(i32),
        UntilKilled,
        NoStart,
    }

    struct Actor {
        act: Act,
        asked: Sender<String>,
        end: (Mutex<Option<i32>>, Condvar),
    }

    impl Starts for Script {
        type Task = Actor;

        fn start(&self, task: &TaskConfig) -> Result<Actor, StartError> {
            let act = self.ends.lock().unwrap().remove(0);
            self.asked.send(task.id.clone()).unwrap();
            let end = match act {
                Act::NoStart => return Err(StartError::NotFound("no such command".to_owned())),
                Act::Exit(code) => Some(code),
                Act::UntilStopped(_) | Act::UntilKilled => None,
            };
            Ok(Actor {
                act,
                asked: self.asked.clone(),
                end: (Mutex::new(end), Condvar::new()),
            })
        }
    }

    impl Running for Actor {
        fn wait(&self) -> Result<ExitResult, driver::Error> {
            let mut end = self.end.0.lock().unwrap();
            while end.is_none() {
                end = self.end.1.wait(end).unwrap();
            }
            Ok(ExitResult {
                exit_code: end.unwrap(),
                ..ExitResult::default()
            })
        }

        fn stop(&self, signal: &str, grace: Duration) -> Result<(), driver::Error> {
            let code = match self.act {
                Act::UntilStopped(code) => Some(code),
                Act::UntilKilled if grace.is_zero() => Some(137),
                _ => None,
            };
            // The polite stop may come after the hard one: it does not undo it.
            if code.is_some() {
                *self.end.0.lock().unwrap() = code;
            }
            self.end.1.notify_all();
            self.asked
                .send(format!("{signal} {}", crate::duration::spell(grace)))
                .unwrap();
            Ok(())
        }

        fn destroy(&self) -> Result<(), driver::Error> {
            Ok(())
        }

        fn facts(&self) -> crate::running::Facts {
            crate::running::Facts::default()
        }
    }

    struct Stage {
        _scratch: Scratch,
        inbox: Inbox,
        pumps: Pumps,
        policy: Restart,
        kind: JobType,
        signal_on: fn(&Event<'_>) -> bool,
    }

    fn stage(policy: Restart) -> Stage {
        let scratch = Scratch::new();
        let dir = Dir::open(scratch.path()).unwrap();
        let (out, err) = (dir.make_fifo("out").unwrap(), dir.make_fifo("err").unwrap());
        let null = || File::create("/dev/null").unwrap().into();
        let inbox = Inbox::new();
        let pumps = Pumps::start(
            Output {
                stdout: null(),
                stderr: null(),
            },
            &out,
            &err,
            &inbox,
        )
        .unwrap();
        Stage {
            _scratch: scratch,
            inbox,
            pumps,
            policy,
            kind: JobType::Batch,
            signal_on: |_| false,
        }
    }

    fn quick() -> Restart {
        Restart {
            delay: Duration::from_millis(1),
            ..samples::restart()
        }
    }

    impl Stage {
        fn run(&mut self, ends: &[Act]) -> (Result<Outcome, Failure>, Receiver<String>) {
            let (asked, answers) = channel();
            let script = Script {
                ends: Mutex::new(ends.to_vec()),
                asked,
            };
            let (sender, signal_on) = (self.inbox.sender(), self.signal_on);
            let mut tell = |event: Event<'_>| {
                if signal_on(&event) {
                    sender.send(Message::Signal(2)).unwrap();
                }
            };
            let mut supervision = Supervision {
                driver: &script,
                task: TaskConfig {
                    alloc_id: "a".to_owned(),
                    name: "t".to_owned(),
                    ..TaskConfig::default()
                },
                stop: Stop {
                    signal: "SIGTERM".to_owned(),
                    grace: Duration::from_secs(5),
                },
                policy: self.policy.clone(),
                tracker: Tracker::new(self.policy.clone(), self.kind, Instant::now()),
                pumps: &self.pumps,
                inbox: &mut self.inbox,
                tell: &mut tell,
                ran: false,
            };
            (supervision.run(), answers)
        }
    }

    fn code(result: Result<Outcome, Failure>) -> u8 {
        result.unwrap().code
    }

    impl std::fmt::Display for Failure {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{self:?}")
        }
    }

    #[test]
    fn the_tasks_code_is_the_outcome() {
        assert_eq!(code(stage(quick()).run(&[Act::Exit(0)]).0), 0);
        let never = Restart {
            attempts: 0,
            ..quick()
        };
        assert_eq!(code(stage(never).run(&[Act::Exit(7)]).0), 7);
    }

    #[test]
    fn a_failing_task_is_restarted_under_a_new_id() {
        let (result, asked) = stage(quick()).run(&[Act::Exit(1), Act::Exit(2), Act::Exit(0)]);
        assert_eq!(code(result), 0);
        let ids: std::collections::BTreeSet<String> = asked.try_iter().collect();
        assert_eq!(ids.len(), 3);
    }

    #[test]
    fn the_last_code_counts_when_the_attempts_are_used_up() {
        let (result, _) = stage(quick()).run(&[Act::Exit(1), Act::Exit(2), Act::Exit(3)]);
        assert_eq!(code(result), 3);
    }

    #[test]
    fn a_start_that_fails_is_not_tried_again() {
        let (result, _) = stage(quick()).run(&[Act::NoStart]);
        assert!(matches!(
            result,
            Err(Failure::Start(StartError::NotFound(_)))
        ));
    }

    #[test]
    fn the_first_signal_is_polite_and_ends_the_run() {
        let mut stage = stage(quick());
        stage.kind = JobType::Service;
        stage.signal_on = |event| matches!(event, Event::Started { .. });
        let (result, asked) = stage.run(&[Act::UntilStopped(143)]);
        assert_eq!(
            result.unwrap(),
            Outcome {
                code: 143,
                stopped: true
            }
        );
        assert_eq!(asked.iter().nth(1).unwrap(), "SIGTERM 5s");
    }

    #[test]
    fn the_second_signal_kills() {
        let mut stage = stage(quick());
        stage.signal_on = |event| matches!(event, Event::Started { .. } | Event::Stopping { .. });
        assert_eq!(code(stage.run(&[Act::UntilKilled]).0), 137);
    }

    #[test]
    fn a_signal_between_two_starts_ends_the_run() {
        let mut stage = stage(Restart {
            delay: Duration::from_secs(600),
            mode: RestartMode::Delay,
            ..quick()
        });
        stage.signal_on = |event| matches!(event, Event::Restarting { .. });
        let (result, _) = stage.run(&[Act::Exit(1)]);
        assert_eq!(
            result.unwrap(),
            Outcome {
                code: 130,
                stopped: true
            }
        );
    }
}
