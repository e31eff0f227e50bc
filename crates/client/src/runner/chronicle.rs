//! Tells and writes down what happens to the tasks of one allocation.
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::dirs::Dir;
use crate::event::{Event, TaskEvent, Tell, Whose};
use crate::runner::allocation::Message;
use crate::runner::lifecycle::TaskState;
use crate::state::{AllocState, FILE, TaskRecord};

/// What happens to the tasks of one allocation.
pub(crate) struct Chronicle<'a> {
    tell: Tell<'a>,
    dir: Option<&'a Dir>,
    state: Mutex<AllocState>,
}

impl<'a> Chronicle<'a> {
    /// One that is written down in `dir`.
    pub(crate) fn new(tell: Tell<'a>, dir: Option<&'a Dir>, state: AllocState) -> Chronicle<'a> {
        Chronicle {
            tell,
            dir,
            state: Mutex::new(state),
        }
    }

    /// What was written down last.
    #[cfg(test)]
    pub(crate) fn into_state(self) -> AllocState {
        self.state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, AllocState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, task: &str, change: impl FnOnce(&mut TaskRecord)) {
        let mut state = self.state();
        change(state.task_states.entry(task.to_owned()).or_default());
        state.settle();
        self.write(&state);
    }

    /// Writes down what was said so far.
    pub(crate) fn write_down(&self) {
        self.write(&self.state());
    }

    /// A record that cannot be written is missed by those who look, and by nobody else: the run goes on.
    fn write(&self, state: &AllocState) {
        if let (Some(dir), Ok(text)) = (self.dir, serde_json::to_string(state)) {
            let _ = dir.replace(FILE, &text);
        }
    }
}

/// One task's voice.
#[derive(Clone, Copy)]
pub(crate) struct Voice<'a> {
    pub(crate) chronicle: &'a Chronicle<'a>,
    pub(crate) whose: Whose<'a>,
}

impl Voice<'_> {
    pub(crate) fn say(&self, event: TaskEvent<'_>) {
        let mut state = self.chronicle.state();
        if self.add(&mut state, &event) {
            self.chronicle.write(&state);
        }
        drop(state);
        (self.chronicle.tell)(Event::Task(self.whose, event));
    }

    /// Says one of many things, which are written down together at last.
    pub(crate) fn say_unwritten(&self, event: TaskEvent<'_>) {
        self.add(&mut self.chronicle.state(), &event);
        (self.chronicle.tell)(Event::Task(self.whose, event));
    }

    fn add(&self, state: &mut AllocState, event: &TaskEvent<'_>) -> bool {
        let record = state.task_states.entry(self.whose.task.to_owned());
        record.or_default().add(event, SystemTime::now())
    }

    /// The handle by which others find the task that runs; `None`: it has ended.
    pub(crate) fn handle(&self, handle: Option<&[u8]>, pid: Option<&str>) {
        let Some(dir) = self.chronicle.dir else {
            return;
        };
        let name = format!("{}.handle", self.whose.task);
        let _ = match handle.and_then(|handle| std::str::from_utf8(handle).ok()) {
            Some(text) => dir.replace(&name, text),
            None => dir.unlink(&name),
        };
        let mut state = self.chronicle.state();
        if let Some(facts) = state.encamp.tasks.get_mut(self.whose.task) {
            facts.pid = pid.map(str::to_owned);
        }
    }
}

/// A task's voice that its allocation listens to.
pub(crate) struct Reporter<'a> {
    pub(crate) voice: Voice<'a>,
    /// Its place among the tasks of the allocation.
    pub(crate) place: usize,
    pub(crate) to: Sender<Message>,
}

impl Reporter<'_> {
    pub(crate) fn say(&self, event: TaskEvent<'_>) {
        self.voice.say(event);
    }

    /// Says what the task is doing from now on.
    pub(crate) fn state(&self, state: TaskState) {
        let now = SystemTime::now();
        self.voice
            .chronicle
            .change(self.voice.whose.task, |record| match state {
                TaskState::Pending => "pending".clone_into(&mut record.state),
                TaskState::Running => "running".clone_into(&mut record.state),
                TaskState::Dead { failed } => record.end(failed, now),
            });
        let _ = self.to.send(Message::Task(self.place, state));
    }
}
