//! How far a download is: a bar that is drawn over itself, for a person who looks on.
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::terminal;

/// Fits on any terminal, and so never wraps.
const COLUMNS: usize = 79;
const CELLS: usize = 20;
/// To the line's begin, and away with what is there.
const CLEAR: &str = "\r\x1b[K";

/// The last line of a terminal, while something is fetched.
#[derive(Debug, Default)]
pub(crate) struct Bar {
    drawn: AtomicBool,
}

impl Bar {
    /// What draws it anew, if a person looks on.
    pub(crate) fn draw(
        &self,
        task: &str,
        source: &str,
        far: (u64, Option<u64>),
        took: Duration,
    ) -> Option<String> {
        if !terminal::is_interactive() {
            return None;
        }
        self.drawn.store(true, Ordering::Relaxed);
        Some(format!("{CLEAR}{}", line(task, source, far, took)))
    }

    /// Makes room for a line of another kind.
    pub(crate) fn clear(&self) -> &'static str {
        match self.drawn.swap(false, Ordering::Relaxed) {
            true => CLEAR,
            false => "",
        }
    }
}

fn line(task: &str, source: &str, (bytes, total): (u64, Option<u64>), took: Duration) -> String {
    let far = match total.filter(|total| *total > 0) {
        Some(total) => format!("{} {} of {}", bar(bytes, total), size(bytes), size(total)),
        None => size(bytes),
    };
    let rate = match took.as_secs_f64() {
        // At the very beginning there is nothing to say yet.
        short if short < 0.2 => String::new(),
        seconds => format!(", {}/s", size((bytes as f64 / seconds) as u64)),
    };
    let end = format!("  {far}{rate}");
    // The name says most, and there is room for little more.
    let name = source.trim_end_matches('/').rsplit('/').next();
    let begin = format!("==> {task}: {}", name.unwrap_or_default());
    let room = COLUMNS.saturating_sub(end.chars().count());
    let begin: String = begin.chars().take(room).collect();
    begin + &end
}

fn bar(bytes: u64, total: u64) -> String {
    let share = (bytes as f64 / total as f64).clamp(0.0, 1.0);
    let full = (share * CELLS as f64) as usize;
    format!("[{}{}]", "#".repeat(full), "-".repeat(CELLS - full))
}

/// `12.3 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut name = "B";
    for unit in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        name = unit;
    }
    match name {
        "B" => format!("{bytes} B"),
        name => format!("{value:.1} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (12_900_000, "12.3 MiB"),
            (5 << 40, "5.0 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn a_bar_says_how_far_it_is_and_how_fast() {
        let text = line(
            "t",
            "https://h/x",
            (1 << 20, Some(4 << 20)),
            Duration::from_secs(2),
        );
        assert_eq!(
            text,
            "==> t: x  [#####---------------] 1.0 MiB of 4.0 MiB, 512.0 KiB/s"
        );
        let text = line("t", "https://h/x", (7, None), Duration::ZERO);
        assert_eq!(text, "==> t: x  7 B");
    }

    #[test]
    fn a_bar_never_wraps() {
        let source = "https://h/".to_owned() + &"x".repeat(200);
        for (bytes, total) in [(0, Some(0)), (9, Some(3)), (u64::MAX, Some(u64::MAX))] {
            let text = line("task", &source, (bytes, total), Duration::from_secs(1));
            assert_eq!(text.chars().count(), COLUMNS, "{text}");
        }
    }
}
