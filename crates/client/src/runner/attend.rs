//! A task that runs: waits for its end, and does meanwhile what is asked for.
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use driver::{ExitResult, TaskConfig};

use crate::ear::{Heard, Stopped};
use crate::error::Attempt;
use crate::event::{Exit, Memory, TaskEvent};
use crate::exit;
use crate::runner::asked::Haste;
use crate::runner::hook::{Ask, OnFailure};
use crate::runner::order::{Fault, Message, Order};
use crate::runner::task::TaskRunner;
use crate::running::{Running, Starts};

/// How long a reader of our output may sleep when the task was stopped; after an end of its own it may for ever.
const READER: Duration = Duration::from_secs(3);

/// An end that was asked for.
#[derive(Clone, Copy)]
struct Ending {
    asked: Instant,
    /// When the signal is due, if it was not sent yet.
    due: Option<Instant>,
    why: Why,
}

#[derive(Clone, Copy)]
pub(super) enum Why {
    Killed(Order),
    Restart,
    Failed,
}

impl Why {
    fn haste(self) -> Haste {
        match self {
            Why::Killed(order) => order.haste,
            Why::Restart | Why::Failed => Haste::default(),
        }
    }
}

impl<S: Starts> TaskRunner<'_, S> {
    /// Waits for the end and does meanwhile what is asked for. Comes back with why it ended, if somebody wanted it.
    pub(super) fn attend(
        &mut self,
        running: &Arc<S::Task>,
        began: Instant,
        task: &TaskConfig,
    ) -> Result<(ExitResult, Option<Why>), Fault> {
        self.in_thread("wait", running, |running| {
            Some(Message::Ended(running.wait()))
        })?;
        if let (Some(feed), Some(near)) = (self.feed, running.input()) {
            feed.begin(near).map_err(Fault::Host)?;
        }
        let mut ending = None;
        let result = loop {
            let due = ending.and_then(|ending: Ending| ending.due);
            match self.inbox.next_until(due) {
                None => {
                    ending = ending.map(|ending| Ending {
                        due: None,
                        ..ending
                    });
                    self.ask_to_end(running, ending)?;
                }
                Some(Message::Ended(result)) => break result,
                Some(message) => self.hear(message, running, &mut ending)?,
            }
        };
        let ended = Instant::now();
        // What is left in its terminal goes where the pumps find it.
        self.feed.iter().for_each(|feed| feed.end());
        let result = result.map_err(Fault::Lost)?;
        let patience = ending.map_or(Duration::MAX, |_| READER);
        self.pumps.drain(&mut self.inbox, patience);
        while let Some(event) = self.inbox.find_until(Some(ended), about_output) {
            self.hear_of_output(event);
        }
        self.reporter.say(TaskEvent::Exited(Exit {
            result: &result,
            code: exit::of_task(&result),
            lived: ended - began,
            stopping: ending.map(|ending| ended - ending.asked),
            memory: Memory {
                limit_bytes: u64::try_from(task.resources.memory_limit_bytes).unwrap_or(0),
                peak_bytes: result.oom_killed.then(|| running.memory_peak()).flatten(),
            },
        }));
        let stopped = ending.map_or(Stopped::ByItself, |_| Stopped::BySomebody);
        self.say_denied(&result, stopped, &**running);
        Ok((result, ending.map(|ending| ending.why)))
    }

    fn say_denied(&self, result: &ExitResult, stopped: Stopped, running: &S::Task) {
        let heard = self
            .ear
            .hear(result, stopped, self.telling, || running.denials());
        match heard {
            Some(Heard::Denied(denials)) => self.reporter.say(TaskEvent::Denied(&denials)),
            Some(Heard::Unknown(why)) => self.reporter.say(TaskEvent::DenialsUnknown(why)),
            None => {}
        }
    }

    fn hear(
        &mut self,
        message: Message,
        running: &Arc<S::Task>,
        ending: &mut Option<Ending>,
    ) -> Result<(), Fault> {
        match message {
            Message::Kill(order) => {
                let delay = order.haste.delay(self.stop.delay);
                self.end(Why::Killed(order), delay, running, ending)
            }
            Message::KillNow(order) => {
                let asked = ending.map_or_else(Instant::now, |ending| ending.asked);
                let why = Why::Killed(order);
                *ending = Some(Ending {
                    asked,
                    due: None,
                    why,
                });
                self.kill(running)
            }
            Message::StopFailed(error) => {
                self.reporter.say(TaskEvent::StopFailed(&error));
                self.kill(running)
            }
            Message::Ask(Ask::Signal { signal, reason }) => self.signal(signal, &reason, running),
            Message::Ask(Ask::Restart { reason }) if ending.is_none() => {
                self.reporter
                    .say(TaskEvent::RestartSignaled { reason: &reason });
                self.end(Why::Restart, Duration::ZERO, running, ending)
            }
            Message::Ask(Ask::Script {
                command,
                limit,
                on_failure,
            }) => self.in_thread("script", running, move |running| {
                let failure = running.script(&command, limit).err();
                Some(Message::ScriptEnded(failure, on_failure))
            }),
            Message::Ask(Ask::Fail { reason }) => {
                let hook = "template";
                self.reporter.say(TaskEvent::HookFailed {
                    hook,
                    error: &reason,
                });
                self.end(Why::Failed, Duration::ZERO, running, ending)
            }
            Message::ScriptEnded(Some(failure), on_failure) => {
                let hook = "script";
                self.reporter.say(TaskEvent::HookFailed {
                    hook,
                    error: &failure,
                });
                if on_failure == OnFailure::Fail {
                    self.end(Why::Failed, Duration::ZERO, running, ending)?;
                }
                Ok(())
            }
            other => {
                self.hear_of_output(other);
                Ok(())
            }
        }
    }

    fn hear_of_output(&self, message: Message) {
        match message {
            Message::OutputLost(stream, source) => self.reporter.say(TaskEvent::OutputLost {
                stream,
                source: &source,
            }),
            Message::LogLost(stream, source) => self.reporter.say(TaskEvent::LogLost {
                stream,
                source: &source,
            }),
            Message::LogDropped(stream, bytes) => {
                self.reporter.say(TaskEvent::LogDropped { stream, bytes });
            }
            _ => {}
        }
    }

    /// Begins the end, after a delay; an end that has begun changes its reason and can be hastened.
    fn end(
        &mut self,
        why: Why,
        delay: Duration,
        running: &Arc<S::Task>,
        ending: &mut Option<Ending>,
    ) -> Result<(), Fault> {
        if let Some(begun) = ending {
            begun.why = why;
            let haste = why.haste();
            return match begun.due {
                Some(_) if haste.no_delay => {
                    begun.due = Some(Instant::now());
                    Ok(())
                }
                // The shim takes whatever patience is the shortest.
                None if haste.grace.is_some() => self.ask_to_end(running, *ending),
                _ => Ok(()),
            };
        }
        let asked = Instant::now();
        let due = (!delay.is_zero()).then(|| asked + delay);
        *ending = Some(Ending { asked, due, why });
        match due {
            Some(_) => {
                self.reporter.say(TaskEvent::ShutdownDelay { delay });
                Ok(())
            }
            None => self.ask_to_end(running, *ending),
        }
    }

    fn ask_to_end(&mut self, running: &Arc<S::Task>, ending: Option<Ending>) -> Result<(), Fault> {
        let stop = self.stop.clone();
        let why = ending.map(|ending| ending.why);
        let reason = match why {
            Some(Why::Killed(order)) => order.reason,
            _ => None,
        };
        let haste = why.map(Why::haste).unwrap_or_default();
        let grace = haste.grace.unwrap_or(stop.grace);
        self.reporter.say(TaskEvent::Stopping {
            signal: &stop.signal,
            grace,
            reason,
        });
        self.in_thread("stop", running, move |running| {
            let stopped = running.stop(&stop.signal, grace);
            stopped.err().map(Message::StopFailed)
        })
    }

    fn kill(&mut self, running: &Arc<S::Task>) -> Result<(), Fault> {
        self.reporter.say(TaskEvent::Killing);
        // Not told when it fails: the polite stop that goes on beside it kills too, and an end of the task ends both.
        self.in_thread("kill", running, |running| {
            let _ = running.stop("SIGKILL", Duration::ZERO);
            None
        })
    }

    fn signal(
        &mut self,
        signal: String,
        reason: &str,
        running: &Arc<S::Task>,
    ) -> Result<(), Fault> {
        self.reporter.say(TaskEvent::Signaling {
            signal: &signal,
            reason,
        });
        self.in_thread("signal", running, move |running| {
            let failure = running.signal(&signal).err()?;
            Some(Message::ScriptEnded(
                Some(failure.to_string()),
                OnFailure::GoOn,
            ))
        })
    }

    fn in_thread<F>(&self, name: &str, running: &Arc<S::Task>, ask: F) -> Result<(), Fault>
    where
        F: FnOnce(&S::Task) -> Option<Message> + Send + 'static,
    {
        let (running, to) = (Arc::clone(running), self.inbox.sender());
        let act = move || ask(&running).map(|message| to.send(message));
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(act);
        spawned
            .attempt(|| "start a thread".to_owned())
            .map_err(Fault::Host)
            .map(drop)
    }
}

fn about_output(message: Message) -> Result<Message, Message> {
    match message {
        Message::OutputLost(..) | Message::LogLost(..) | Message::LogDropped(..) => Ok(message),
        other => Err(other),
    }
}
