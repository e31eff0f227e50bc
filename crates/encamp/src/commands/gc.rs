//! `encamp gc`: removes what runs have kept.
use client::gc::{Collected, Wanted};

use crate::cli::{Gc, Global};
use crate::commands::download::size;
use crate::failure::Failure;
use crate::{report, terminal};

/// Something was not removed.
const INCOMPLETE: u8 = 1;

pub(crate) fn run(gc: &Gc, global: &Global) -> Result<u8, Failure> {
    let wanted = Wanted {
        older_than: gc.older_than.unwrap_or_default(),
        ids: gc
            .allocations
            .iter()
            .map(|id| id.to_ascii_lowercase())
            .collect(),
    };
    let collected = client::gc::gc(&global.settings()?, &wanted).map_err(|source| Failure::Gc {
        source: Box::new(source),
    })?;
    if !global.quiet {
        terminal::print(&told(&collected))?;
    }
    for failure in &collected.failures {
        terminal::say(&report::chain(failure, "", None));
    }
    for id in &collected.unknown {
        terminal::say(&format!("Error: no kept allocation {id:?}\n"));
    }
    let complete = collected.failures.is_empty() && collected.unknown.is_empty();
    Ok(if complete { 0 } else { INCOMPLETE })
}

fn told(collected: &Collected) -> String {
    let mut text = String::new();
    for removed in &collected.removed {
        text += &format!(
            "removed {} ({})\n",
            removed.path.display(),
            size(removed.bytes)
        );
    }
    let all = collected.removed.iter().map(|removed| removed.bytes).sum();
    match collected.removed.len() {
        0 => text + "nothing to remove\n",
        1 => text,
        count => text + &format!("{count} allocations, {}\n", size(all)),
    }
}
