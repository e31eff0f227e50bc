//! How it goes, line by line, for whoever waits.
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::artifacts::order::Line;

/// Where lines are written to.
#[derive(Debug)]
pub(super) struct Report {
    file: File,
    began: Instant,
    last: Option<Instant>,
}

/// Between two reports of how far it is, at the beginning.
const PAUSE: Duration = Duration::from_millis(100);
/// Later this share of the time that it has taken so far: who waits long looks less often, and hears only so much.
const SHARE: u32 = 512;

impl Report {
    pub(super) fn to(file: File) -> Report {
        Report {
            file,
            began: Instant::now(),
            last: None,
        }
    }

    /// A line that cannot be written is missed by who waits, and the end then says so.
    pub(super) fn say(&mut self, line: &Line) {
        if let Ok(mut text) = serde_json::to_vec(line) {
            text.push(b'\n');
            let _ = self.file.write_all(&text);
        }
    }

    pub(super) fn progress(&mut self, bytes: u64, total: Option<u64>) {
        let pause = pause(self.began.elapsed());
        if self.last.is_none_or(|last| last.elapsed() >= pause) {
            self.last = Some(Instant::now());
            self.say(&Line::Progress { bytes, total });
        }
    }
}

fn pause(age: Duration) -> Duration {
    PAUSE.max(age / SHARE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_week_is_told_in_less_than_a_mebibyte() {
        let longest = Line::Progress {
            bytes: u64::MAX,
            total: Some(u64::MAX),
        };
        let line = serde_json::to_vec(&longest).unwrap().len() + 1;
        let (mut age, mut bytes) = (Duration::ZERO, 0);
        while age < Duration::from_secs(7 * 24 * 60 * 60) {
            age += pause(age);
            bytes += line;
        }
        assert!(bytes < 1 << 20, "{bytes}");
        assert_eq!(pause(Duration::from_secs(10)), PAUSE);
    }
}
