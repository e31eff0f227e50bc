//! What is done for a task before each of its starts, in a fixed order, and what a running task can be asked for.
//!
//! A [`Hook`] is one such step: fetching artifacts, rendering templates. [`of_task`] is the list, in its order; a new
//! step is a module with a `Hook` in it and one line there. The task's runner calls them:
//!
//! ```text
//! prestart of each, in order ─► the driver starts the task ─► started of each ─► … ─► its end
//!    ▲                                                                              │
//!    └────────────────────────────── restart ◄──────────────────────────────────────┘     stop of each, at last
//! ```
//!
//! A hook that has done its work for good says so and its `prestart` is not called again, as in Nomad. One that fails
//! says whether trying again may help: then the restart policy decides, otherwise the task has failed. While a hook
//! works, its runner cannot hear anything, so whoever may take long looks at [`Stopping`] meanwhile.
//! A hook that lives on beside the task (a thread that watches files) asks it for things with its [`Asks`].
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::allocation::{Allocation, Member};
use crate::artifacts::Artifacts;
use crate::dirs::Owner;
use crate::event::TaskEvent;
use crate::place::Views;
use crate::runner::order::Message;
use crate::settings::Settings;
use crate::template::Templates;

/// One step.
pub(crate) trait Hook: Send {
    /// Its name in messages: `artifacts`.
    fn name(&self) -> &'static str;

    /// Before a start.
    fn prestart(&mut self, start: &mut Prestart<'_>) -> Result<Next, HookError>;

    /// The task runs.
    fn started(&mut self) {}

    /// There will be no other start.
    fn stop(&mut self) {}
}

/// Whether a hook has something to do before the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Its work is done for good.
    Done,
    /// Before each start.
    Again,
}

/// Why a hook failed.
#[derive(Debug)]
pub(crate) struct HookError {
    pub(crate) source: Box<dyn std::error::Error + Send + Sync>,
    pub(crate) recovery: Recovery,
}

/// Whether trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// Yes: the restart policy decides.
    Retry,
    /// No.
    GiveUp,
}

/// What a hook has at hand before a start.
pub(crate) struct Prestart<'a> {
    /// The task's environment, without what hooks add to it.
    pub(crate) env: &'a BTreeMap<String, String>,
    /// What this hook adds to it; what it added before is gone, unless it has done its work.
    pub(crate) more_env: &'a mut BTreeMap<String, String>,
    /// For what lives on beside the task.
    pub(crate) asks: Asks,
    /// Whether the task is to end.
    pub(crate) stopping: &'a Stopping,
    /// Says what it does, by Nomad's name for such an event.
    pub(crate) tell: &'a dyn Fn(TaskEvent<'_>),
}

/// What a hook knows from the beginning.
#[derive(Debug, Clone)]
pub(crate) struct Ground<'a> {
    pub(crate) member: Member<'a>,
    pub(crate) allocation: &'a Allocation,
    /// How the task names its directories.
    pub(crate) views: Views,
    /// The task's.
    pub(crate) cgroup: &'a cgroup::Paths,
    /// Who the task runs as.
    pub(crate) owner: Owner,
    pub(crate) settings: &'a Settings,
}

/// The steps of a task, in their order.
pub(crate) fn of_task(ground: Ground<'_>) -> Vec<Box<dyn Hook + '_>> {
    let mut hooks: Vec<Box<dyn Hook + '_>> = Vec::new();
    if let Some(artifacts) = Artifacts::of(&ground) {
        hooks.push(Box::new(artifacts));
    }
    if let Some(templates) = Templates::of(ground) {
        hooks.push(Box::new(templates));
    }
    hooks
}

/// A hook, and what came of it so far.
pub(crate) struct Step<'a> {
    pub(crate) hook: Box<dyn Hook + 'a>,
    /// What it has to do before the next start.
    pub(crate) next: Next,
    /// What it adds to the task's environment.
    pub(crate) env: BTreeMap<String, String>,
}

impl<'a> Step<'a> {
    pub(crate) fn of(hook: Box<dyn Hook + 'a>) -> Step<'a> {
        Step {
            hook,
            next: Next::Again,
            env: BTreeMap::new(),
        }
    }
}

/// Whether a task is to end; set from another thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stopping(Arc<AtomicBool>);

impl Stopping {
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What a running task can be asked for. A task that does not run is asked for nothing.
#[derive(Debug)]
pub(crate) enum Ask {
    /// To be sent a signal.
    Signal { signal: String, reason: String },
    /// To be ended and started again, whatever its policy says.
    Restart { reason: String },
    /// To have a command run beside it, as [`driver::Task::exec`] does.
    Script {
        command: Vec<String>,
        limit: Duration,
        on_failure: OnFailure,
    },
    /// To be ended; it has failed then, by this hook.
    Fail { hook: &'static str, reason: String },
}

/// What becomes of a task whose script has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// It goes on.
    GoOn,
    /// It ends, and has failed.
    Fail,
}

/// Asks a task for things, from any thread.
#[derive(Debug, Clone)]
pub(crate) struct Asks(pub(super) Sender<Message>);

impl Asks {
    /// A runner that is gone hears nothing, which is fine.
    pub(crate) fn send(&self, ask: Ask) {
        let _ = self.0.send(Message::Ask(ask));
    }
}
