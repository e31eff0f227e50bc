//! The life of one task: prestart hooks, start, wait, restart, and the end at any moment.
//!
//! ```text
//!            ┌─────────────────── restart ◄──────────── policy ─► dead
//!            ▼                       ▲                    ▲
//! pending ─► hooks ─► start ─► attend ── ended ───────────┴── not told to end
//!    │                           │ kill: shutdown_delay, kill_signal, kill_timeout, SIGKILL   kill now: SIGKILL to all
//!    │ kill                      ▼
//!    └─► dead ◄──────────────── ended, told to end
//! ```
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use driver::ExitResult;

use crate::ear::Ear;
use crate::event::{Because, TaskEvent};
use crate::feed::Feed;
use crate::message::Inbox;
use crate::output::Pumps;
use crate::restart::{Ended, Tracker, Verdict};
use crate::runner::attend::Why;
use crate::runner::chronicle::Reporter;
use crate::runner::hook::{Asks, HookError, Next, Prestart, Recovery, Step, Stopping};
use crate::runner::lifecycle::TaskState;
use crate::runner::order::{Configures, Fault, Message, Order, Stop, TaskEnd};
use crate::running::{Running, Starts};
use crate::settings::Telling;
use crate::{exit, ids};

/// Everything the loop works with.
pub(crate) struct TaskRunner<'a, S: Starts> {
    pub(crate) driver: &'a S,
    pub(crate) configures: &'a dyn Configures,
    /// The hooks, in their order.
    pub(crate) steps: Vec<Step<'a>>,
    pub(crate) stop: Stop,
    pub(crate) tracker: Tracker,
    pub(crate) pumps: &'a Pumps,
    pub(crate) feed: Option<&'a Feed>,
    pub(crate) inbox: Inbox<Message>,
    pub(crate) reporter: Reporter<'a>,
    pub(crate) stopping: Stopping,
    /// Who listens to what is denied.
    pub(crate) ear: &'a Ear,
    pub(crate) telling: Telling,
    /// How many starts there were.
    pub(crate) starts: u64,
}

/// What became of one start.
enum Once {
    /// It ended by itself.
    Ended(ExitResult),
    /// It ended because it is to be started again.
    Restart,
    /// It was told to end.
    Killed(Order),
    /// It ended because something beside it failed.
    Failed(Fault),
}

impl<S: Starts> TaskRunner<'_, S> {
    /// Runs the task until its policy or an order ends it.
    pub(crate) fn run(mut self) -> TaskEnd {
        let mut end = TaskEnd::default();
        match self.inbox.find_until(None, start_or_kill) {
            Some(None) => self.live(&mut end),
            order => self.be_killed(order.flatten().unwrap_or_default(), &mut end),
        }
        self.steps.iter_mut().for_each(|step| step.hook.stop());
        self.reporter.state(TaskState::Dead { failed: end.failed });
        end
    }

    fn live(&mut self, end: &mut TaskEnd) {
        loop {
            let ended = match self.once(end) {
                Ok(Once::Killed(order)) => return self.be_killed(order, end),
                Ok(Once::Failed(fault)) => {
                    end.failed = true;
                    end.fault = Some(fault);
                    return;
                }
                Ok(Once::Restart) => {
                    self.say_restarting(Duration::ZERO, 0, Because::Asked);
                    continue;
                }
                Ok(Once::Ended(result)) if is_success(&result) => Ended::Well,
                Ok(Once::Ended(_)) => Ended::Badly,
                Err((fault, recovery)) => {
                    end.fault = Some(fault);
                    Ended::NotStarted(recovery)
                }
            };
            match self.between(ended, end) {
                Some(After::Restart) => end.fault = None,
                Some(After::Killed(order)) => {
                    end.fault = None;
                    return self.be_killed(order, end);
                }
                None => return,
            }
        }
    }

    /// The end of a task that does not run any more and was told to end.
    fn be_killed(&mut self, order: Order, end: &mut TaskEnd) {
        end.killed = true;
        end.code = order
            .signal
            .filter(|_| end.code.is_none())
            .map(exit::of_signal)
            .or(end.code);
        self.reporter.say(TaskEvent::Killed);
    }

    /// One start and its end.
    fn once(&mut self, end: &mut TaskEnd) -> Result<Once, (Fault, Recovery)> {
        self.prepare()?;
        // Who asked it to stop is about to say why.
        let until = (!self.stopping.is_asked()).then(Instant::now);
        if let Some(order) = self.inbox.find_until(until, kill) {
            return Ok(Once::Killed(order));
        }
        let give_up = |fault| (fault, Recovery::GiveUp);
        let mut task = self
            .configures
            .config(&self.more_env())
            .map_err(|mistakes| give_up(Fault::Job(mistakes)))?;
        task.id = ids::task_id(&task.alloc_id, &task.name)
            .map_err(|error| give_up(Fault::Host(error)))?;
        let began = Instant::now();
        // What was asked of a task that did not run is none of this start's.
        while self.inbox.find_until(Some(began), ask).is_some() {}
        let running = Arc::new(self.driver.start(&task).map_err(|error| {
            let words = driver::in_one_line(&error);
            self.reporter
                .say(TaskEvent::DriverFailure { error: &words });
            let recovery = if error.is_transient() {
                Recovery::Retry
            } else {
                Recovery::GiveUp
            };
            (Fault::Start(error), recovery)
        })?);
        end.ran = true;
        self.starts += 1;
        self.begin(&*running);
        let ended = self.attend(&running, began, &task);
        self.reporter.voice.handle(None, None);
        // However it went: the caller's terminal is theirs again.
        self.feed.iter().for_each(|feed| feed.end());
        let destroyed = running.destroy().map_err(Fault::Lost);
        let (result, why) = ended.map_err(give_up)?;
        destroyed.map_err(give_up)?;
        end.code = Some(exit::of_task(&result));
        Ok(match why {
            None => Once::Ended(result),
            Some(Why::Killed(order)) => Once::Killed(order),
            Some(Why::Restart) => Once::Restart,
            Some(Why::Failed(hook, error)) => Once::Failed(Fault::Hook(hook, error.into())),
        })
    }

    /// Calls the hooks, in their order, as long as nobody wants the task to end.
    fn prepare(&mut self) -> Result<(), (Fault, Recovery)> {
        if self.steps.iter().all(|step| step.next == Next::Done) {
            return Ok(());
        }
        let env = self.configures.env(&BTreeMap::new());
        let reporter = &self.reporter;
        let tell = |event: TaskEvent<'_>| reporter.say(event);
        for step in &mut self.steps {
            if step.next == Next::Done {
                continue;
            }
            if self.stopping.is_asked() {
                return Ok(());
            }
            step.env.clear();
            let mut start = Prestart {
                env: &env,
                more_env: &mut step.env,
                asks: Asks(self.inbox.sender()),
                stopping: &self.stopping,
                tell: &tell,
            };
            step.next = step.hook.prestart(&mut start).map_err(|failed| {
                let HookError { source, recovery } = failed;
                let (hook, words) = (step.hook.name(), driver::in_one_line(&*source));
                tell(TaskEvent::HookFailed {
                    hook,
                    error: &words,
                });
                (Fault::Hook(hook, source), recovery)
            })?;
        }
        Ok(())
    }

    /// What hooks add to the task's environment; the later one has the last word.
    fn more_env(&self) -> BTreeMap<String, String> {
        let all = self.steps.iter().flat_map(|step| step.env.clone());
        all.collect()
    }

    fn begin(&mut self, running: &S::Task) {
        let facts = running.facts();
        let pid = facts.pid.as_deref();
        self.reporter.voice.handle(facts.handle.as_deref(), pid);
        self.reporter.say(TaskEvent::Started { pid });
        for refusal in &facts.refusals {
            self.reporter.say(TaskEvent::Refused(refusal));
        }
        for lacking in &facts.lacking {
            self.reporter.say(TaskEvent::Lacking(lacking));
        }
        if let Some(landlock) = &facts.landlock {
            self.reporter.say(TaskEvent::Landlock(landlock));
        }
        self.reporter.state(TaskState::Running);
        self.steps.iter_mut().for_each(|step| step.hook.started());
    }

    /// What follows an end that nobody asked for. `None`: nothing.
    fn between(&mut self, ended: Ended, end: &mut TaskEnd) -> Option<After> {
        let chance = match ids::random() {
            Ok(number) => f64::from(number) / f64::from(u32::MAX),
            // Chance is a courtesy to others.
            Err(_) => 0.0,
        };
        match self.tracker.decide(ended, Instant::now(), chance) {
            Verdict::Finished => None,
            Verdict::Stop { reason } => {
                end.failed = true;
                self.reporter
                    .say(TaskEvent::NotRestarting { reason: &reason });
                None
            }
            Verdict::Restart {
                after,
                attempt,
                because,
            } => {
                self.say_restarting(after, attempt, because);
                let until = Instant::now().checked_add(after);
                Some(match self.inbox.find_until(until, kill) {
                    // A signal between two starts ends the run as it would end any program.
                    Some(order) => {
                        end.code = order.signal.map(exit::of_signal).or(end.code);
                        After::Killed(order)
                    }
                    None => After::Restart,
                })
            }
        }
    }

    fn say_restarting(&self, after: Duration, attempt: u32, because: Because) {
        let policy = self.tracker.policy();
        self.reporter.state(TaskState::Pending);
        self.reporter.say(TaskEvent::Restarting {
            after,
            attempt,
            attempts: policy.attempts,
            interval: policy.interval,
            because,
        });
    }
}

/// What follows a pause.
enum After {
    Restart,
    Killed(Order),
}

fn is_success(result: &ExitResult) -> bool {
    result.exit_code == 0 && result.signal == 0 && result.error.is_none()
}

fn kill(message: Message) -> Result<Order, Message> {
    match message {
        Message::Kill(order) | Message::KillNow(order) => Ok(order),
        other => Err(other),
    }
}

fn ask(message: Message) -> Result<(), Message> {
    match message {
        Message::Ask(_) => Ok(()),
        other => Err(other),
    }
}

/// `None`: it may start.
fn start_or_kill(message: Message) -> Result<Option<Order>, Message> {
    match message {
        Message::Start => Ok(None),
        other => kill(other).map(Some),
    }
}
