//! Whole lines, each behind a name: how the output of several tasks is told apart.

/// A line that is longer is cut, so that a task without newlines does not fill our memory.
const LONGEST: usize = 1 << 20;

/// Puts a prefix before each line of a stream.
#[derive(Debug)]
pub struct PrefixedLines {
    prefix: Vec<u8>,
    /// What has come of a line that has not ended yet.
    begun: Vec<u8>,
}

impl PrefixedLines {
    /// Lines behind `name | `.
    pub fn of(name: &str) -> PrefixedLines {
        PrefixedLines {
            prefix: format!("{name} | ").into_bytes(),
            begun: Vec::new(),
        }
    }

    /// The lines that end in these bytes. One longer than a megabyte is cut.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut whole = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            let is_cut = self.begun.len() >= LONGEST;
            if part.ends_with(b"\n") || is_cut {
                whole.extend_from_slice(&self.prefix);
                whole.append(&mut self.begun);
                if !part.ends_with(b"\n") {
                    whole.push(b'\n');
                }
            }
        }
        whole
    }

    /// The line that never ended, if there is one.
    pub fn finish(&mut self) -> Vec<u8> {
        if self.begun.is_empty() {
            return Vec::new();
        }
        self.take(b"\n")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn through(writes: &[&str]) -> String {
        let mut lines = PrefixedLines::of("web");
        let mut all = Vec::new();
        for bytes in writes {
            all.extend(lines.take(bytes.as_bytes()));
        }
        all.extend(lines.finish());
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn every_line_has_its_prefix_however_it_was_written() {
        assert_eq!(
            through(&["a", "b\nc\n", "\n", "end"]),
            "web | ab\nweb | c\nweb | \nweb | end\n"
        );
        assert_eq!(through(&[""]), "");
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let long = "x".repeat(LONGEST + 5);
        let text = through(&[&long]);
        assert_eq!(text, format!("web | {long}\n"));
        let text = through(&[&long, "y"]);
        assert_eq!(text, format!("web | {long}\nweb | y\n"));
    }
}
