//! `encamp gc`: removes what runs have kept.
use client::gc::{Collected, Wanted};

use crate::cli::{Gc, Global};
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

/// `340 KiB`, `12.3 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB"];
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{} KiB", value.ceil()),
        _ => format!("{value:.1} {}", units[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        for (bytes, told) in [
            (0, "0 KiB"),
            (1, "1 KiB"),
            (4096, "4 KiB"),
            (1 << 20, "1.0 MiB"),
            (1 << 40, "1024.0 GiB"),
        ] {
            assert_eq!(size(bytes), told);
        }
    }
}
