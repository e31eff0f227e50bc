//! What runs, for the commands that look at it or do something to it.
use client::runs::{self, Seen, TargetError};

use crate::cli::Global;
use crate::failure::Failure;

/// Everything that runs.
pub(crate) fn all(global: &Global) -> Result<Vec<Seen>, Failure> {
    Ok(runs::list(&global.run_dir)?)
}

/// What a target names.
pub(crate) fn find(global: &Global, target: &str) -> Result<Vec<Seen>, Failure> {
    Ok(runs::find(&all(global)?, target)?)
}

/// The one task that a target names. Among several it is the only one that runs.
pub(crate) fn find_one(global: &Global, target: &str) -> Result<Seen, Failure> {
    let found = find(global, target)?;
    let mut running = found.iter().filter(|seen| is_running(seen));
    match (running.next(), running.next()) {
        (Some(one), None) => Ok(one.clone()),
        (None, _) => Err(not_running(target, &found)),
        _ => Err(TargetError::ambiguous(target, &found).into()),
    }
}

/// Whether its state says so.
pub(crate) fn is_running(seen: &Seen) -> bool {
    seen.record()
        .is_some_and(|record| record.state == "running")
}

/// What a target names has ended, or waits for its start.
pub(crate) fn not_running(target: &str, found: &[Seen]) -> Failure {
    let state = |seen: &Seen| {
        let state = seen.record().map_or("gone", |record| record.state.as_str());
        format!("{} is {state}", seen.place())
    };
    let states: Vec<_> = found.iter().map(state).collect();
    Failure::NotRunning {
        target: target.to_owned(),
        states: states.join(", "),
    }
}
