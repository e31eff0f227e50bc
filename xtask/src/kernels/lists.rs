//! The committed lists: which tests run on which kernel.
use std::collections::BTreeSet;

use super::log::Log;
use super::rows::Row;

/// How a list is brought up to date.
const UPDATE: &str = "UPDATE=1 cargo xtask kernels";

/// The list that a run would have.
pub(crate) fn text(row: &Row, log: &Log) -> String {
    let mut lines = vec![
        format!("# {}: {}.", row.name, row.about),
        format!(
            "# The tests that run and pass there, held by CI; written by `{UPDATE} {}`.",
            row.name
        ),
    ];
    for (name, reason) in row.left_out {
        lines.push(format!("# left out: {name}: {reason}"));
    }
    for (name, reason) in &log.skipped {
        lines.push(format!("# cannot run there: {name}: {reason}"));
    }
    lines.extend(log.passed.iter().cloned());
    lines.join("\n") + "\n"
}

/// What runs and is not listed, and what is listed and does not run.
pub(crate) fn differences(row: &Row, text: &str, log: &Log) -> Vec<String> {
    let listed: BTreeSet<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let why = |name: &String| {
        let skipped = log.skipped.iter().find(|(skipped, _)| skipped == name);
        skipped.map_or(String::new(), |(_, reason)| format!(" ({reason})"))
    };
    let missing = listed.difference(&log.passed).map(|name| {
        format!(
            "{}: {name} is listed and did not run and pass{}",
            row.name,
            why(name)
        )
    });
    let new = log.passed.difference(&listed).map(|name| {
        format!(
            "{}: {name} runs and is not listed; add it: {UPDATE} {}",
            row.name, row.name
        )
    });
    missing.chain(new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::rows::ROWS;

    #[test]
    fn what_is_missing_and_what_is_new_is_named() {
        let log = Log::new("test a ... ok\ntest b ... ok\nSKIPPED b: no cc\n", None);
        let found = differences(&ROWS[0], "# a comment\nb\n\nc\n", &log).join("\n");
        assert!(
            found.contains("b is listed and did not run and pass (no cc)"),
            "{found}"
        );
        assert!(found.contains("c is listed and did not run"), "{found}");
        assert!(found.contains("a runs and is not listed"), "{found}");
    }

    #[test]
    fn a_list_that_was_written_fits_its_run() {
        let log = Log::new("test a ... ok\ntest b ... ok\nSKIPPED b: no cc\n", None);
        assert_eq!(differences(&ROWS[0], &text(&ROWS[0], &log), &log), [""; 0]);
    }
}
