//! The table, and the same as JSON.
use std::fmt::Write;

use serde_json::{Value, json};

use crate::memory::Beside;
use crate::runner::Runner;
use crate::statistics::{Summary, summary};

/// What the ratios are to.
const YARDSTICKS: [&str; 3] = ["bare spawn", "floor in C", "bwrap"];

/// All that was measured.
pub(crate) struct Report<'a> {
    rows: Vec<(&'static str, Summary)>,
    memory: &'a [Beside],
    rounds: usize,
}

impl<'a> Report<'a> {
    pub(crate) fn new(runners: &[Runner<'_>], memory: &'a [Beside], rounds: usize) -> Report<'a> {
        let rows = runners
            .iter()
            .filter_map(|runner| Some((runner.name, summary(&runner.samples)?)))
            .collect();
        Report {
            rows,
            memory,
            rounds,
        }
    }

    /// The ratio of medians to a yardstick, if that was measured.
    fn ratio(&self, row: &Summary, yardstick: &str) -> Option<f64> {
        let (_, base) = self.rows.iter().find(|(name, _)| *name == yardstick)?;
        Some(row.p50_us / base.p50_us)
    }

    /// For people, and for Markdown.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "start to exit of a static program, {} rounds, interleaved, microseconds\n\n",
            self.rounds
        );
        text.push_str("| way | min | p50 | p99 | ÷ bare spawn | ÷ floor | ÷ bwrap |\n|---|---:|---:|---:|---:|---:|---:|\n");
        for (name, row) in &self.rows {
            let ratios = YARDSTICKS.map(|yardstick| {
                self.ratio(row, yardstick)
                    .map_or("–".to_owned(), |ratio| format!("{ratio:.2}"))
            });
            let _ = writeln!(
                text,
                "| {name} | {:.0} | {:.0} | {:.0} | {} |",
                row.min_us,
                row.p50_us,
                row.p99_us,
                ratios.join(" | ")
            );
        }
        text.push_str("\nprivate memory beside a running task, KiB\n\n| driver | process | private |\n|---|---|---:|\n");
        for beside in self.memory {
            for (name, kib) in &beside.processes {
                let _ = writeln!(text, "| {} | {name} | {kib} |", beside.driver);
            }
            let _ = writeln!(
                text,
                "| {} | **all that stays with the task** | {} |",
                beside.driver,
                beside.total_kib()
            );
            let _ = writeln!(
                text,
                "| {} | the command in the foreground | {} |",
                beside.driver, beside.command_kib
            );
        }
        text
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let row = |(name, row): &(&str, Summary)| {
            json!({
                "way": name, "min_us": row.min_us, "p50_us": row.p50_us, "p99_us": row.p99_us,
                "ratios": YARDSTICKS.map(|yardstick| self.ratio(row, yardstick)),
            })
        };
        let beside = |beside: &Beside| {
            json!({
                "driver": beside.driver, "private_kib": beside.total_kib(), "processes": beside.processes,
                "command_private_kib": beside.command_kib,
            })
        };
        json!({
            "rounds": self.rounds, "yardsticks": YARDSTICKS,
            "starts": self.rows.iter().map(row).collect::<Vec<_>>(),
            "memory": self.memory.iter().map(beside).collect::<Vec<_>>(),
        })
    }
}

impl Beside {
    fn total_kib(&self) -> u64 {
        self.processes.iter().map(|(_, kib)| kib).sum()
    }
}
