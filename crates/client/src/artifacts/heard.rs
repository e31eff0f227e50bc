//! What a fetcher says of itself, taken as what a stranger says.
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use super::order::Line;
use crate::event::TaskEvent;

/// What a fetcher gets to say at most; an honest one that takes a week says less.
const MOST: u64 = 2 << 20;

/// What it has said so far.
#[derive(Debug)]
pub(super) struct Heard {
    file: File,
    began: Instant,
    read: u64,
    /// The begin of a line.
    rest: Vec<u8>,
    /// Whether it has told what it left out, which it does once.
    left_out: bool,
    /// How it ended, by its own words.
    pub(super) last: Option<Result<u64, String>>,
}

impl Heard {
    pub(super) fn of(file: &File) -> std::io::Result<Heard> {
        Ok(Heard {
            file: file.try_clone()?,
            began: Instant::now(),
            read: 0,
            rest: Vec::new(),
            left_out: false,
            last: None,
        })
    }

    /// Tells what is new. Of how far it is only the last word matters.
    pub(super) fn pass_on(&mut self, source: &str, tell: &dyn Fn(TaskEvent<'_>)) {
        let text = self.whole_lines();
        let lines = text.split(|byte| *byte == b'\n');
        let lines = lines.filter_map(|line| serde_json::from_slice(line).ok());
        let (far, others): (Vec<Line>, Vec<Line>) =
            lines.partition(|line| matches!(line, Line::Progress { .. }));
        if let Some(Line::Progress { bytes, total }) = far.last() {
            tell(TaskEvent::Fetching {
                source,
                bytes: *bytes,
                total: *total,
                took: self.began.elapsed(),
            });
        }
        for line in others {
            self.line(line, source, tell);
        }
    }

    /// What has come, up to the end of a line. Each byte is looked at once.
    fn whole_lines(&mut self) -> Vec<u8> {
        let mut lines = Vec::new();
        let mut chunk = [0; 4096];
        while self.read < MOST {
            let got = match self.file.read_at(&mut chunk, self.read) {
                Ok(got) if got > 0 => got,
                _ => break,
            };
            self.read += got as u64;
            let end = chunk[..got].iter().rposition(|byte| *byte == b'\n');
            let (ends, begins) = chunk[..got].split_at(end.map_or(0, |end| end + 1));
            if !ends.is_empty() {
                lines.append(&mut self.rest);
                lines.extend(ends);
            }
            self.rest.extend(begins);
        }
        lines
    }

    fn line(&mut self, line: Line, source: &str, tell: &dyn Fn(TaskEvent<'_>)) {
        match line {
            Line::LeftOut { count, first } if !self.left_out => {
                self.left_out = true;
                tell(TaskEvent::LeftOut {
                    source,
                    count,
                    first: &printable(&first),
                });
            }
            Line::Progress { .. } | Line::Unpacking | Line::LeftOut { .. } => {}
            Line::Done { bytes } => self.last = Some(Ok(bytes)),
            Line::Failed { reason } => self.last = Some(Err(printable(&reason))),
        }
    }
}

/// What a stranger says must not move anybody's cursor, nor go on for ever.
fn printable(text: &str) -> String {
    let plain = |c: char| if c.is_control() { '?' } else { c };
    text.chars().take(1000).map(plain).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::cell::RefCell;
    use std::io::Write;

    use super::*;
    use crate::testing::Scratch;

    /// A report, and what is told of it.
    struct Listening {
        _scratch: Scratch,
        file: File,
        heard: Heard,
    }

    impl Listening {
        fn new() -> Listening {
            let scratch = Scratch::new();
            let mut options = File::options();
            let options = options.read(true).append(true).create(true);
            let file = options.open(scratch.path().join("report")).unwrap();
            Listening {
                heard: Heard::of(&file).unwrap(),
                _scratch: scratch,
                file,
            }
        }

        fn told(&mut self, text: &[u8]) -> Vec<String> {
            self.file.write_all(text).unwrap();
            let events = RefCell::new(Vec::new());
            self.heard.pass_on("s", &|event| {
                let what = match event {
                    TaskEvent::Fetching { bytes, .. } => format!("{bytes} bytes"),
                    TaskEvent::LeftOut { count, first, .. } => format!("{count} out, {first}"),
                    other => format!("{other:?}"),
                };
                events.borrow_mut().push(what);
            });
            events.into_inner()
        }
    }

    #[test]
    fn lines_are_told_when_they_are_whole() {
        let mut report = Listening::new();
        let far = |bytes: u64| format!("{{\"Progress\":{{\"bytes\":{bytes},\"total\":null}}}}\n");
        assert_eq!(report.told((far(1) + &far(2)).as_bytes()), ["2 bytes"]);
        assert_eq!(report.told(b"{\"Done\":{\"by"), Vec::<String>::new());
        assert_eq!(report.heard.last, None);
        assert_eq!(report.told(b"tes\":7}}\nno line\n"), Vec::<String>::new());
        assert_eq!(report.heard.last, Some(Ok(7)));
    }

    #[test]
    fn a_stranger_says_little_however_much_it_writes() {
        let mut report = Listening::new();
        let out = b"{\"LeftOut\":{\"count\":3,\"first\":\"a\\u001bb\"}}\n";
        assert_eq!(report.told(&out.repeat(1000)), ["3 out, a?b"]);
        // Neither many lines nor one without an end are read again and again.
        for text in [b"{}\n".repeat(1 << 19), vec![b'x'; 4 << 20]] {
            assert_eq!(report.told(&text), Vec::<String>::new());
        }
        assert_eq!(
            report.told(b"\n{\"Done\":{\"bytes\":7}}\n"),
            Vec::<String>::new()
        );
        assert_eq!(report.heard.last, None);
        assert!(report.heard.rest.len() <= 2 << 20);
    }
}
