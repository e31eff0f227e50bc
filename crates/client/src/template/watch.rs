//! Beside a task: sees when a file that a template was made from is not as it was, and does what `change_mode` says.
//!
//! Files are looked at again and again, as consul-template does it: a file may be replaced, on any file system, by a name
//! that was not there before, and looking sees each of these alike.
use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jobspec::{Change, ChangeScript, Template, Wait};

use super::blocks::Blocks;
use crate::error::{Attempt, HostError};
use crate::ids;

/// How often files are looked at.
const PERIOD: Duration = Duration::from_secs(1);
/// How often while they change.
const CLOSELY: Duration = Duration::from_millis(100);
/// How long a change settles where the template says nothing, as in Nomad.
const WAIT: Wait = Wait {
    min: Duration::from_secs(5),
    max: Duration::from_secs(240),
};

/// What a task is asked for when its templates have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// To be started again.
    Restart,
    /// To be sent a signal.
    Signal(String),
    /// To have a script run.
    Script(ChangeScript),
    /// To end, since a template cannot be rendered any more.
    Fail(String),
}

/// The templates of a task, shared with the thread that watches them.
#[derive(Debug)]
pub(crate) struct Watched {
    blocks: Mutex<Blocks>,
    stopped: Mutex<bool>,
    stop: Condvar,
}

impl Watched {
    pub(crate) fn new(blocks: Blocks) -> Arc<Watched> {
        Arc::new(Watched {
            blocks: Mutex::new(blocks),
            stopped: Mutex::new(false),
            stop: Condvar::new(),
        })
    }

    /// Nothing panics while it holds these; if it did, what they hold is whole.
    pub(crate) fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.notify_all();
    }

    /// Waits; true when it is to stop.
    fn pause(&self, time: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .stop
            .wait_timeout_while(stopped, time, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The thread that watches. Once this is dropped there is none, and nothing is written any more.
#[derive(Debug)]
pub(crate) struct Watch {
    watched: Arc<Watched>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watched.stop();
        if let Some(thread) = self.thread.take() {
            // It has said what there was to say; that it has ended is what matters.
            let _ = thread.join();
        }
    }
}

/// Watches until what it gives back is dropped.
pub(crate) fn watch(
    watched: &Arc<Watched>,
    act: impl Fn(Action) + Send + 'static,
) -> Result<Watch, HostError> {
    let theirs = Arc::clone(watched);
    let thread = thread::Builder::new()
        .name("templates".to_owned())
        .spawn(move || while turn(&theirs, &act) {})
        .attempt(|| "start a thread".to_owned())?;
    Ok(Watch {
        watched: Arc::clone(watched),
        thread: Some(thread),
    })
}

/// Looks once. False at the end.
fn turn(watched: &Watched, act: &impl Fn(Action)) -> bool {
    if watched.pause(PERIOD) {
        return false;
    }
    let places = watched.blocks().changed();
    if places.is_empty() {
        return true;
    }
    if !settle(watched, &places) {
        return false;
    }
    // What has changed meanwhile is rendered with it: one action for all.
    let places = watched.blocks().changed();
    let rendered = watched.blocks().render_again(&places);
    let different = match rendered {
        Ok(different) => different,
        Err(failure) => {
            act(Action::Fail(format!("Template failed: {failure}")));
            return false;
        }
    };
    let templates: Vec<Template> = {
        let blocks = watched.blocks();
        different
            .iter()
            .filter_map(|place| blocks.template(*place).cloned())
            .collect()
    };
    let (actions, splay) = decide(&templates);
    if !actions.is_empty() && watched.pause(random(splay)) {
        return false;
    }
    actions.into_iter().for_each(act);
    true
}

/// Waits until the files have not changed for the least time, but no longer than the most. False at the end.
fn settle(watched: &Watched, places: &[usize]) -> bool {
    let (min, max) = {
        let blocks = watched.blocks();
        let waits = places.iter().filter_map(|place| blocks.template(*place));
        let waits: Vec<Wait> = waits
            .map(|template| template.wait.clone().unwrap_or(WAIT))
            .collect();
        let longest = |time: fn(&Wait) -> Duration| waits.iter().map(time).max();
        (
            longest(|wait| wait.min).unwrap_or_default(),
            longest(|wait| wait.max).unwrap_or_default(),
        )
    };
    let began = Instant::now();
    let mut since = began;
    let mut states = watched.blocks().states(places);
    while since.elapsed() < min && began.elapsed() < max {
        let rest = min.saturating_sub(since.elapsed());
        if watched.pause(rest.min(CLOSELY)) {
            return false;
        }
        let now = watched.blocks().states(places);
        if now != states {
            since = Instant::now();
            states = now;
        }
    }
    true
}

/// What follows for a task, and the longest that it may wait: a restart makes signals and scripts needless.
pub(crate) fn decide(templates: &[Template]) -> (Vec<Action>, Duration) {
    let mut restart = false;
    let mut signals = BTreeSet::new();
    let mut scripts = Vec::new();
    let mut splay = Duration::ZERO;
    for template in templates {
        match &template.change {
            Change::Noop => continue,
            Change::Restart => restart = true,
            Change::Signal(signal) => {
                signals.insert(signal.value.clone());
            }
            Change::Script(script) => scripts.push(script.clone()),
        }
        splay = splay.max(template.splay);
    }
    if restart {
        return (vec![Action::Restart], splay);
    }
    let signals = signals.into_iter().map(Action::Signal);
    let scripts = scripts.into_iter().map(Action::Script);
    (signals.chain(scripts).collect(), splay)
}

fn random(most: Duration) -> Duration {
    // Chance is a courtesy to others: without it all act at once.
    let chance = ids::random().map_or(0.0, |number| f64::from(number) / f64::from(u32::MAX));
    most.mul_f64(chance)
}
