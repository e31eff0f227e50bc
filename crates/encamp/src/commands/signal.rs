//! `encamp signal`: one signal to the main process of each task that a target names.
use client::runs::Seen;

use crate::cli::{Global, Signal};
use crate::commands::seen;
use crate::failure::Failure;

pub(crate) fn run(signal: &Signal, global: &Global) -> Result<u8, Failure> {
    let found = seen::find(global, &signal.target)?;
    let running: Vec<_> = found.iter().filter_map(Seen::task).collect();
    if running.is_empty() {
        return Err(seen::not_running(&signal.target, &found));
    }
    for task in running {
        task.signal(&signal.signal)?;
    }
    Ok(0)
}
