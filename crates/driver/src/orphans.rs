//! Records of tasks that have ended and that nobody asks for any more.
//!
//! After a reboot the client destroys what it could not recover. Of some tasks it never says another word: of those that it was about to
//! stop when it was stopped itself, and of those that ran when the node went over to another driver. They are known by their allocation,
//! whose directory the client removes in the end.
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use cgroup::{Cgroup, Paths};
use serde::{Deserialize, Serialize};
use shim::Found;

use crate::api::{Driver, Error};
use crate::state_dir;

/// In the task's state directory.
const NOTE: &str = "task.json";

/// What it takes to clear up behind a task without its handle.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    alloc_dir: PathBuf,
    /// The cgroup directories that the driver made.
    made: Paths,
}

/// Notes whose task this is, for [`Driver::forget_orphans`].
pub(crate) fn note(state: &Path, alloc_dir: &Path, made: &Paths) {
    let note = Note {
        alloc_dir: alloc_dir.to_owned(),
        made: made.clone(),
    };
    // A task without it runs as well; should it be orphaned, its records stay.
    if let Ok(text) = serde_json::to_vec(&note) {
        let _ = fs::write(state.join(NOTE), text);
    }
}

/// The note of a task whose allocation is gone.
fn orphan(state: &Path) -> Option<Note> {
    let text = fs::read(state.join(NOTE)).ok()?;
    let note: Note = serde_json::from_slice(&text).ok()?;
    let looked = note.alloc_dir.symlink_metadata();
    // Nothing else than that says that it is gone: not a file system that does not answer.
    looked
        .is_err_and(|error| error.kind() == ErrorKind::NotFound)
        .then_some(note)
}

impl Driver {
    /// Removes what is kept of a task that has ended and that nobody asks for any more: one that could not be recovered, as after a reboot.
    /// One that runs is left alone.
    ///
    /// # Errors
    /// A shim that does not answer; unlink(2), rmdir(2).
    pub fn forget_unknown(&self, id: &str) -> Result<(), Error> {
        let state = state_dir::of(&self.0.place.state_dir, id);
        if state.symlink_metadata().is_err() {
            return Ok(());
        }
        // Its cgroups may be those of its next start by now.
        forget_ended(&state, &Paths::default()).map(drop)
    }

    /// Removes what is kept of all tasks that have ended and whose allocation's directory is gone, and their cgroups; says of how many.
    ///
    /// # Errors
    /// As [`Driver::forget_unknown`]; getdents(2). The others are tried all the same.
    pub fn forget_orphans(&self) -> Result<usize, Error> {
        let place = &self.0.place.state_dir;
        let entries = match fs::read_dir(place) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            other => other.map_err(|source| Error::Io {
                act: format!("read the state directory {}", place.display()),
                source,
            })?,
        };
        let states = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let orphans = states.filter_map(|state| Some((orphan(&state)?, state)));
        let mut outcome = Ok(0);
        for (note, state) in orphans {
            match forget_ended(&state, &note.made) {
                Ok(cleared) => outcome = outcome.map(|count| count + usize::from(cleared)),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }
}

/// Forgets a task that has ended, with the cgroups that are named; says whether it has.
fn forget_ended(state: &Path, made: &Paths) -> Result<bool, Error> {
    if let Found::Alive(..) = shim::attach(state)? {
        return Ok(false);
    }
    // First: without the note nobody would know of them.
    Cgroup::at(made).remove()?;
    state_dir::remove(state).map(|()| true)
}
