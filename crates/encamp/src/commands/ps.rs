//! `encamp ps`: what runs.
use std::time::Duration;

use client::runs::Seen;
use driver::TaskStats;
use serde_json::{Map, Value, json};

use crate::cli::{Global, Ps};
use crate::commands::seen;
use crate::failure::Failure;
use crate::terminal;

pub(crate) fn run(ps: &Ps, global: &Global) -> Result<u8, Failure> {
    let found = match &ps.target {
        Some(target) => seen::find(global, target)?,
        None => seen::all(global)?,
    };
    let text = if ps.json {
        format!("{:#}\n", document(&found))
    } else if global.quiet {
        ids(&found)
    } else {
        table(&found.iter().map(row).collect::<Vec<_>>())
    };
    terminal::print(&text)?;
    Ok(0)
}

fn ids(found: &[Seen]) -> String {
    let mut ids: Vec<_> = found.iter().map(|seen| seen.alloc.id.as_str()).collect();
    ids.dedup();
    ids.iter().map(|id| format!("{id}\n")).collect()
}

const HEADS: [&str; 9] = [
    "JOB", "TASK", "ALLOC", "STATE", "UP", "RST", "CPU", "MEM", "PORTS",
];

/// What is not known, or means nothing here.
const NOTHING: &str = "-";

fn row(seen: &Seen) -> [String; 9] {
    let task = seen.task();
    let stats = task.as_ref().and_then(|task| task.stats().ok());
    let started = task.and_then(|task| task.inspect().ok());
    let up = started.and_then(|status| status.started_at.elapsed().ok());
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let record = seen.record();
    let ports = seen.facts().map(|facts| facts.ports.join(" "));
    [
        seen.alloc.job_id.clone(),
        seen.place(),
        seen.alloc.short_id().to_owned(),
        state(seen),
        or_nothing(up.map(since)),
        or_nothing(record.map(|record| record.restarts.to_string())),
        or_nothing(stats.as_ref().and_then(percent)),
        or_nothing(stats.as_ref().and_then(|stats| memory(seen, stats))),
        or_nothing(ports.filter(|ports| !ports.is_empty())),
    ]
}

/// `running`, `pending`, `exited 0`.
fn state(seen: &Seen) -> String {
    let Some(record) = seen.record() else {
        return NOTHING.to_owned();
    };
    let ended = record
        .events
        .iter()
        .rev()
        .find(|event| event.r#type == "Terminated");
    let code = ended.and_then(|event| event.details.get("exit_code"));
    match (record.state.as_str(), code) {
        ("dead", Some(code)) => format!("exited {code}"),
        (state, _) => state.to_owned(),
    }
}

/// `2m3s`, `4h`, `3d`: two units at most.
fn since(up: Duration) -> String {
    let seconds = up.as_secs();
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit}{small}{small_unit}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => two(minutes, "m", seconds % 60, "s"),
        (0, _, _) => two(hours, "h", minutes, "m"),
        _ => two(days, "d", hours, "h"),
    }
}

fn percent(stats: &TaskStats) -> Option<String> {
    stats.percent.map(|percent| format!("{percent:.0}%"))
}

/// `12/300 MiB`; without a limit `12 MiB`.
fn memory(seen: &Seen, stats: &TaskStats) -> Option<String> {
    let used = stats.rss_bytes.or(stats.usage_bytes)?.div_ceil(1 << 20);
    Some(match seen.facts().map_or(0, |facts| facts.memory) {
        0 => format!("{used} MiB"),
        most => format!("{used}/{most} MiB"),
    })
}

/// Columns with two spaces between them; the last one has no end. Nothing runs: the heads alone.
fn table(rows: &[[String; 9]]) -> String {
    let heads = HEADS.map(str::to_owned);
    let all = || std::iter::once(&heads).chain(rows);
    let width = |column: usize| all().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..HEADS.len()).filter_map(width).collect();
    let line = |row: &[String; 9]| {
        let cells = row.iter().zip(&widths);
        let padded: String = cells
            .map(|(cell, width)| format!("{cell:width$}  "))
            .collect();
        format!("{}\n", padded.trim_end())
    };
    all().map(line).collect()
}

/// Allocations as Nomad's API has them, with what each task uses.
fn document(found: &[Seen]) -> Value {
    let mut documents: Vec<Value> = Vec::new();
    for seen in found {
        let known = documents
            .iter()
            .position(|known| known["ID"] == seen.alloc.id);
        let place = known.unwrap_or_else(|| {
            // A struct of strings, numbers and maps always serialises.
            documents.push(serde_json::to_value(&*seen.alloc).unwrap_or_default());
            documents.len() - 1
        });
        if let Some(usage) = usage(seen) {
            let document = &mut documents[place];
            let used = document.as_object_mut().map(|document| {
                let tasks = json!({ "Tasks": {} });
                document.entry("ResourceUsage").or_insert(tasks)
            });
            if let Some(used) = used {
                used["Tasks"][&seen.name] = usage;
            }
        }
    }
    Value::Array(documents)
}

/// `CpuStats` and `MemoryStats` as in Nomad's allocation stats; nothing that was not measured.
fn usage(seen: &Seen) -> Option<Value> {
    let stats = seen.stats()?;
    let present = |pairs: [(&str, Option<Value>); 4]| {
        let pairs = pairs.into_iter();
        let map: Map<_, _> = pairs
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect();
        Value::Object(map)
    };
    let cpu = [
        ("Percent", stats.percent.map(Value::from)),
        ("TotalTicks", stats.total_ticks.map(Value::from)),
        ("SystemMode", stats.system_mode_percent.map(Value::from)),
        ("UserMode", stats.user_mode_percent.map(Value::from)),
    ];
    let memory = [
        ("RSS", stats.rss_bytes.map(Value::from)),
        ("Cache", stats.cache_bytes.map(Value::from)),
        ("Usage", stats.usage_bytes.map(Value::from)),
        ("MaxUsage", stats.max_usage_bytes.map(Value::from)),
    ];
    let usage = json!({ "CpuStats": present(cpu), "MemoryStats": present(memory) });
    Some(json!({ "ResourceUsage": usage }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units_at_most() {
        for (seconds, told) in [
            (0, "0s"),
            (59, "59s"),
            (123, "2m3s"),
            (180, "3m"),
            (14_400, "4h"),
            (15_000, "4h10m"),
            (90_000, "1d1h"),
        ] {
            assert_eq!(since(Duration::from_secs(seconds)), told);
        }
    }

    #[test]
    fn columns_are_as_wide_as_they_have_to_be() {
        let cells = [
            "http",
            "web[0]/python",
            "0af996ed",
            "running",
            "2m3s",
            "0",
            "1%",
            "12/300 MiB",
            "-",
        ];
        let expected = "\
JOB   TASK           ALLOC     STATE    UP    RST  CPU  MEM         PORTS
http  web[0]/python  0af996ed  running  2m3s  0    1%   12/300 MiB  -
";
        assert_eq!(table(&[cells.map(str::to_owned)]), expected);
        assert_eq!(table(&[]).lines().count(), 1);
    }
}
