//! `encamp signal`: one signal to the main process of each task that a target names.
use crate::cli::{Global, Signal};
use crate::commands::{conclude, seen};
use crate::failure::Failure;

pub(crate) fn run(signal: &Signal, global: &Global) -> Result<u8, Failure> {
    let found = seen::find(global, &signal.target)?;
    let (mut reached, mut failures) = (0, Vec::new());
    for seen in &found {
        match seen.task().map(|task| task.signal(&signal.signal)) {
            Some(Ok(())) => reached += 1,
            // Its run has ended meanwhile, and the task with it.
            Some(Err(_)) if !seen.lives() => {}
            Some(Err(error)) => failures.push(error.into()),
            None => {}
        }
    }
    if reached == 0 && failures.is_empty() {
        return Err(seen::not_running(&signal.target, &found));
    }
    conclude(failures, global)
}
