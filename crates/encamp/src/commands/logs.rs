//! `encamp logs`: what tasks have printed.
use std::os::fd::AsFd;
use std::time::Duration;

use client::runs::{Seen, Stream, Tail};

use crate::cli::{Global, Logs};
use crate::commands::seen;
use crate::failure::Failure;

/// How often files are looked at.
const PERIOD: Duration = Duration::from_millis(100);

pub(crate) fn run(logs: &Logs, global: &Global) -> Result<u8, Failure> {
    let found = seen::find(global, &logs.target)?;
    let streams: &[Stream] = match (logs.stdout, logs.stderr) {
        (true, _) => &[Stream::Stdout],
        (false, true) => &[Stream::Stderr],
        (false, false) => &[Stream::Stdout, Stream::Stderr],
    };
    let prefixed = found.len() > 1;
    let mut sources = Vec::new();
    for task in &found {
        for stream in streams {
            sources.push(Source::open(task, *stream, logs.lines, prefixed)?);
        }
    }
    let mut all_read = pass_on(&mut sources)?;
    // Looked at before the files: what is written before a run ends is read, too.
    while all_read && logs.follow {
        let live = found.iter().any(Seen::lives);
        if live {
            std::thread::sleep(PERIOD);
        }
        all_read = pass_on(&mut sources)?;
        if !live {
            break;
        }
    }
    sources.iter_mut().for_each(Source::finish);
    Ok(0)
}

/// Passes on all there is. False when nobody reads it.
fn pass_on(sources: &mut [Source]) -> Result<bool, Failure> {
    for source in sources {
        if !source.pass_on()? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One stream of one task.
struct Source {
    tail: Tail,
    stream: Stream,
    /// What begins each line.
    prefix: Option<String>,
    /// A line that has not ended yet; only with a prefix.
    begun: Vec<u8>,
}

impl Source {
    fn open(
        task: &Seen,
        stream: Stream,
        lines: Option<usize>,
        prefixed: bool,
    ) -> Result<Source, Failure> {
        let mut tail = Tail::of(task, stream)?;
        if let Some(lines) = lines {
            tail.skip_to_last(lines)?;
        }
        Ok(Source {
            tail,
            stream,
            prefix: prefixed.then(|| format!("{} | ", task.place())),
            begun: Vec::new(),
        })
    }

    fn pass_on(&mut self) -> Result<bool, Failure> {
        loop {
            let bytes = self.tail.read()?;
            if bytes.is_empty() {
                return Ok(true);
            }
            let written = match &self.prefix {
                None => write(self.stream, &bytes),
                Some(prefix) => {
                    self.begun.extend(bytes);
                    let lines = whole_lines(&mut self.begun, prefix);
                    write(self.stream, &lines)
                }
            };
            match written {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(false),
                other => other?,
            }
        }
    }

    /// Writes the line that never ended.
    fn finish(&mut self) {
        if let (Some(prefix), false) = (&self.prefix, self.begun.is_empty()) {
            let mut last = prefix.clone().into_bytes();
            last.append(&mut self.begun);
            last.push(b'\n');
            // Whoever reads no further wants no last line either.
            let _ = write(self.stream, &last);
        }
    }
}

fn write(stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
    match stream {
        Stream::Stdout => client::tty::write_all(std::io::stdout().as_fd(), bytes),
        Stream::Stderr => client::tty::write_all(std::io::stderr().as_fd(), bytes),
    }
}

/// Takes the lines that have ended, each with its prefix. One longer than a megabyte is cut there.
fn whole_lines(begun: &mut Vec<u8>, prefix: &str) -> Vec<u8> {
    const LONGEST: usize = 1 << 20;
    let mut lines = Vec::new();
    let mut at = 0;
    while at < begun.len() {
        let rest = &begun[at..];
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (line, length) = match end {
            Some(end) => (&rest[..end], end + 1),
            None if rest.len() >= LONGEST => (rest, rest.len()),
            None => break,
        };
        lines.extend(prefix.as_bytes());
        lines.extend(line);
        lines.push(b'\n');
        at += length;
    }
    begun.drain(..at);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_prefixed_when_they_are_whole() {
        let mut begun = b"one\ntw".to_vec();
        assert_eq!(whole_lines(&mut begun, "a | "), b"a | one\n");
        begun.extend(b"o\n\n");
        assert_eq!(whole_lines(&mut begun, "a | "), b"a | two\na | \n");
        assert!(begun.is_empty());
        begun = vec![b'x'; 2 << 20];
        assert_eq!(whole_lines(&mut begun, "").len(), (2 << 20) + 1);
    }
}
