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
use crate::runner::order::{Fault, Message, News, Order};
use crate::runner::task::TaskRunner;
use crate::running::{Running, Starts};

/// How long a reader of our output may sleep when the task was stopped; after an end of its own it may for ever.
const READER: Duration = Duration::from_secs(3);
/// What scripts are called where hooks have names.
const SCRIPT: &str = "script";

/// An end that was asked for.
struct Ending {
    asked: Instant,
    /// When the signal is due, if it was not sent yet.
    due: Option<Instant>,
    haste: Haste,
    why: Why,
}

pub(super) enum Why {
    Killed(Order),
    Restart,
    /// This hook failed, in these words.
    Failed(&'static str, String),
}

impl Why {
    fn haste(&self) -> Haste {
        match self {
            Why::Killed(order) => order.haste,
            Why::Restart | Why::Failed(..) => Haste::default(),
        }
    }
}

impl Ending {
    fn begin(why: Why, delay: Duration) -> Ending {
        let asked = Instant::now();
        Ending {
            asked,
            due: (!delay.is_zero()).then(|| asked + delay),
            haste: why.haste(),
            why,
        }
    }

    /// What came first stays why it ends, but for a restart, which comes to nothing then.
    fn change(&mut self, why: Why) {
        if let Why::Killed(order) = why {
            self.haste = order.haste;
        }
        match (&mut self.why, why) {
            (begun @ Why::Restart, why) => *begun = why,
            (Why::Killed(order), Why::Killed(later)) => *order = later,
            _ => {}
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
        self.in_thread("wait", running, |running| Some(News::Ended(running.wait())))?;
        if let (Some(feed), Some(near)) = (self.feed, running.input()) {
            feed.begin(near).map_err(Fault::Host)?;
        }
        let mut ending: Option<Ending> = None;
        let result = loop {
            let due = ending.as_ref().and_then(|ending| ending.due);
            match (self.inbox.next_until(due), &mut ending) {
                (None, None) => {}
                (None, Some(ending)) => {
                    ending.due = None;
                    self.ask_to_end(running, ending)?;
                }
                (Some(Message::Of(start, _)), _) if start != self.starts => {}
                (Some(Message::Of(_, News::Ended(result))), _) => break result,
                (Some(message), _) => self.hear(message, running, &mut ending)?,
            }
        };
        let ended = Instant::now();
        // What is left in its terminal goes where the pumps find it.
        self.feed.iter().for_each(|feed| feed.end());
        let result = result.map_err(Fault::Lost)?;
        let patience = ending.as_ref().map_or(Duration::MAX, |_| READER);
        self.pumps.drain(&mut self.inbox, patience);
        while let Some(event) = self.inbox.find_until(Some(ended), about_output) {
            self.hear_of_output(event);
        }
        self.reporter.say(TaskEvent::Exited(Exit {
            result: &result,
            code: exit::of_task(&result),
            lived: ended - began,
            stopping: ending.as_ref().map(|ending| ended - ending.asked),
            memory: Memory {
                limit_bytes: u64::try_from(task.resources.memory_limit_bytes).unwrap_or(0),
                peak_bytes: result.oom_killed.then(|| running.memory_peak()).flatten(),
            },
        }));
        let stopped = match ending {
            None => Stopped::ByItself,
            Some(_) => Stopped::BySomebody,
        };
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
                let why = Why::Killed(order);
                match ending {
                    None => *ending = Some(Ending::begin(why, Duration::ZERO)),
                    Some(begun) => {
                        begun.change(why);
                        begun.due = None;
                    }
                }
                self.kill(running)
            }
            Message::Of(_, News::StopFailed(error)) => {
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
                let failure = running.script(&command, limit).err()?;
                Some(News::ScriptFailed(failure, on_failure))
            }),
            Message::Ask(Ask::Fail { hook, reason }) => {
                self.say_failed(hook, &reason);
                let why = Why::Failed(hook, reason);
                self.end(why, Duration::ZERO, running, ending)
            }
            Message::Of(_, News::ScriptFailed(failure, on_failure)) => {
                self.say_failed(SCRIPT, &failure);
                match on_failure {
                    OnFailure::GoOn => Ok(()),
                    OnFailure::Fail => {
                        let why = Why::Failed(SCRIPT, failure);
                        self.end(why, Duration::ZERO, running, ending)
                    }
                }
            }
            other => {
                self.hear_of_output(other);
                Ok(())
            }
        }
    }

    fn say_failed(&self, hook: &str, error: &str) {
        self.reporter.say(TaskEvent::HookFailed { hook, error });
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

    /// Begins the end, after a delay; one that has begun can be hastened.
    fn end(
        &mut self,
        why: Why,
        delay: Duration,
        running: &Arc<S::Task>,
        ending: &mut Option<Ending>,
    ) -> Result<(), Fault> {
        if let Some(begun) = ending {
            let haste = why.haste();
            begun.change(why);
            return match begun.due {
                Some(_) if haste.no_delay => {
                    begun.due = Some(Instant::now());
                    Ok(())
                }
                // The shim takes whatever patience is the shortest.
                None if haste.grace.is_some() => self.ask_to_end(running, begun),
                _ => Ok(()),
            };
        }
        let begun = ending.insert(Ending::begin(why, delay));
        match begun.due {
            Some(_) => {
                self.reporter.say(TaskEvent::ShutdownDelay { delay });
                Ok(())
            }
            None => self.ask_to_end(running, begun),
        }
    }

    fn ask_to_end(&self, running: &Arc<S::Task>, ending: &Ending) -> Result<(), Fault> {
        let stop = self.stop.clone();
        let reason = match ending.why {
            Why::Killed(order) => order.reason,
            _ => None,
        };
        let grace = ending.haste.grace.unwrap_or(stop.grace);
        self.reporter.say(TaskEvent::Stopping {
            signal: &stop.signal,
            grace,
            reason,
        });
        self.in_thread("stop", running, move |running| {
            let stopped = running.stop(&stop.signal, grace);
            stopped.err().map(News::StopFailed)
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
            Some(News::ScriptFailed(failure.to_string(), OnFailure::GoOn))
        })
    }

    fn in_thread<F>(&self, name: &str, running: &Arc<S::Task>, ask: F) -> Result<(), Fault>
    where
        F: FnOnce(&S::Task) -> Option<News> + Send + 'static,
    {
        let (running, to, start) = (Arc::clone(running), self.inbox.sender(), self.starts);
        let act = move || ask(&running).map(|news| to.send(Message::Of(start, news)));
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
