//! How it goes, line by line, for whoever waits.
use std::fs::File;
use std::io::Write;
use std::time::Instant;

use super::PAUSE;
use crate::artifacts::order::Line;

/// Where lines are written to.
#[derive(Debug)]
pub(super) struct Report {
    file: File,
    last: Option<Instant>,
}

impl Report {
    pub(super) fn to(file: File) -> Report {
        Report { file, last: None }
    }

    /// A line that cannot be written is missed by who waits, and the end then says so.
    pub(super) fn say(&mut self, line: &Line) {
        if let Ok(mut text) = serde_json::to_vec(line) {
            text.push(b'\n');
            let _ = self.file.write_all(&text);
        }
    }

    pub(super) fn progress(&mut self, bytes: u64, total: Option<u64>) {
        if self.last.is_none_or(|last| last.elapsed() >= PAUSE) {
            self.last = Some(Instant::now());
            self.say(&Line::Progress { bytes, total });
        }
    }
}
