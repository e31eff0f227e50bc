//! The table, and the same as JSON.
use std::fmt::Write;

use serde_json::{Value, json};

use crate::memory::{Beside, Private};
use crate::parsing::Reading;
use crate::runner::Runner;
use crate::statistics::{Summary, summary};

/// What the ratios are to.
const YARDSTICKS: [&str; 3] = ["bare spawn", "floor in C", "bwrap"];

/// All that was measured.
pub(crate) struct Report<'a> {
    rows: Vec<(&'static str, Summary)>,
    memory: &'a [Beside],
    readings: &'a [Reading],
    rounds: usize,
}

impl<'a> Report<'a> {
    pub(crate) fn new(
        runners: &[Runner<'_>],
        memory: &'a [Beside],
        readings: &'a [Reading],
        rounds: usize,
    ) -> Report<'a> {
        let rows = runners
            .iter()
            .filter_map(|runner| Some((runner.name, summary(&runner.samples)?)))
            .collect();
        Report {
            rows,
            memory,
            readings,
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
        text.push_str("\nprivate memory beside a running task, KiB\n\n| driver | process | private | of it the shared image |\n|---|---|---:|---:|\n");
        for beside in self.memory {
            for (name, private) in &beside.processes {
                let all = private.own_kib + private.image_kib;
                let _ = writeln!(
                    text,
                    "| {} | {name} | {all} | {} |",
                    beside.driver, private.image_kib
                );
            }
            let total = beside.total();
            let _ = writeln!(
                text,
                "| {} | **all that stays with the task** | {} | {} |",
                beside.driver,
                total.own_kib + total.image_kib,
                total.image_kib
            );
            let _ = writeln!(
                text,
                "| {} | the command in the foreground | {} | – |",
                beside.driver, beside.command_kib
            );
        }
        text.push_str("\na job file read, microseconds\n\n| file | bytes | min | p50 | p99 |\n|---|---:|---:|---:|---:|\n");
        for Reading {
            name,
            bytes,
            summary,
        } in self.readings
        {
            let _ = writeln!(
                text,
                "| {name} | {bytes} | {:.0} | {:.0} | {:.0} |",
                summary.min_us, summary.p50_us, summary.p99_us
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
            let total = beside.total();
            json!({
                "driver": beside.driver, "processes": beside.processes.len(),
                "private_kib": total.own_kib, "image_kib": total.image_kib,
                "command_private_kib": beside.command_kib,
            })
        };
        let reading = |reading: &Reading| {
            let Summary {
                min_us,
                p50_us,
                p99_us,
            } = reading.summary;
            json!({
                "file": reading.name, "bytes": reading.bytes,
                "min_us": min_us, "p50_us": p50_us, "p99_us": p99_us,
            })
        };
        json!({
            "rounds": self.rounds, "yardsticks": YARDSTICKS,
            "starts": self.rows.iter().map(row).collect::<Vec<_>>(),
            "memory": self.memory.iter().map(beside).collect::<Vec<_>>(),
            "reading": self.readings.iter().map(reading).collect::<Vec<_>>(),
        })
    }
}

impl Beside {
    fn total(&self) -> Private {
        let mut total = Private::default();
        for (_, private) in &self.processes {
            total.own_kib += private.own_kib;
            total.image_kib += private.image_kib;
        }
        total
    }
}
