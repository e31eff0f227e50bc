//! Finding a task again in a new process, from nothing but the bytes of its handle.
use std::path::Path;
use std::sync::Mutex;

use shim::Found;

use crate::api::{Driver, Kind, RecoverError, Task};
use crate::handle::{self, Handle, Process};
use crate::state_dir;

impl Driver {
    /// Finds a task again from nothing but the bytes of its handle, also one that has ended meanwhile.
    ///
    /// # Errors
    /// When the bytes are strange, or when nothing of the task is left; nothing is touched then.
    pub fn recover(&self, handle: &[u8]) -> Result<Task, RecoverError> {
        let handle = Handle::from_bytes(handle, self.kind()).map_err(RecoverError::Handle)?;
        let gone = |reason: &str| RecoverError::Gone {
            id: handle.id.clone(),
            reason: reason.to_owned(),
        };
        if handle.boot_id != handle::boot_id() {
            return Err(gone("the host was rebooted"));
        }
        if handle.state.file_name() != state_dir::of(Path::new("/"), &handle.id).file_name() {
            let reason = format!("{} is not its state directory", handle.state.display());
            return Err(RecoverError::Handle(reason));
        }
        if handle.state.symlink_metadata().is_err() {
            return Err(gone("its state directory does not exist"));
        }
        self.0.remembered.keep(&handle.reserved);
        match shim::attach(&handle.state)? {
            Found::Alive(_, running) if Process::from(&running) != handle.process => {
                Err(gone("its state directory is another process's"))
            }
            Found::Alive(..) if !is_there(&handle.cgroup) => Err(gone("its cgroup does not exist")),
            // With pid_mode host its task may live on; with or without it, `wait` tells the end.
            Found::Lost => Ok(Task::lost(handle)),
            Found::Ended(_) => Ok(Task::new(handle, None)),
            Found::Alive(_, running) => {
                let watch = self.watching();
                let watched = watch.and_then(|watch| self.watched(&watch, &handle, &running));
                Ok(Task {
                    watched: Mutex::new(watched),
                    ..Task::new(handle, None)
                })
            }
        }
    }
}

/// All directories of a cgroup with a process in it are.
fn is_there(cgroup: &cgroup::Paths) -> bool {
    cgroup
        .unified
        .iter()
        .chain(cgroup.v1.values())
        .all(|directory| directory.is_dir())
}

impl Task {
    /// A task that runs under somebody else, found by the bytes of its handle: to look at, to signal, to enter, and to be there
    /// when it ends. Unlike [`Driver::recover`] this touches nothing: whoever runs the task clears up behind it and may start it
    /// again in the same cgroup meanwhile.
    ///
    /// # Errors
    /// When the bytes are strange, or the task does not run any more.
    pub fn beside(handle: &[u8]) -> Result<Task, RecoverError> {
        let kind =
            kind_of(handle).ok_or_else(|| RecoverError::Handle("it names no driver".to_owned()))?;
        let handle = Handle::from_bytes(handle, kind).map_err(RecoverError::Handle)?;
        let alive = match shim::attach(&handle.state)? {
            Found::Alive(_, running) => Process::from(&running) == handle.process,
            Found::Ended(_) | Found::Lost => false,
        };
        if alive && handle.boot_id == handle::boot_id() {
            return Ok(Task::new(handle, None));
        }
        Err(RecoverError::Gone {
            id: handle.id,
            reason: "it has ended".to_owned(),
        })
    }
}

fn kind_of(handle: &[u8]) -> Option<Kind> {
    let value: serde_json::Value = serde_json::from_slice(handle).ok()?;
    Kind::from_name(value.get("driver")?.as_str()?)
}
