//! Where a stream of a task's output goes: on as it is, or line by line behind the task's name.
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use crate::tty::write_all;

/// A line that is longer is cut, so that a task without newlines does not fill our memory.
const LONGEST_LINE: usize = 1 << 20;

/// The end of a stream.
#[derive(Debug)]
pub(crate) enum Sink {
    /// Byte for byte.
    Plain(OwnedFd),
    /// Whole lines, each behind a prefix.
    Lines(Lines),
}

/// Whole lines, on a descriptor that others write lines to.
#[derive(Debug)]
pub(crate) struct Lines {
    to: Arc<Mutex<OwnedFd>>,
    prefix: Vec<u8>,
    begun: Vec<u8>,
}

impl Sink {
    pub(crate) fn lines(to: Arc<Mutex<OwnedFd>>, task: &str) -> Sink {
        Sink::Lines(Lines {
            to,
            prefix: format!("{task} | ").into_bytes(),
            begun: Vec::new(),
        })
    }

    /// Writes on what can be written.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Sink::Plain(to) => write_all(to.as_fd(), bytes),
            Sink::Lines(lines) => lines.write(bytes),
        }
    }

    /// The task has ended: a line that it did not finish is one all the same.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match self {
            Sink::Lines(lines) if !lines.begun.is_empty() => lines.write(b"\n"),
            _ => Ok(()),
        }
    }
}

impl Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut whole = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            let is_cut = self.begun.len() >= LONGEST_LINE;
            if part.ends_with(b"\n") || is_cut {
                whole.extend_from_slice(&self.prefix);
                whole.append(&mut self.begun);
                if !part.ends_with(b"\n") {
                    whole.push(b'\n');
                }
            }
        }
        if whole.is_empty() {
            return Ok(());
        }
        let to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        write_all(to.as_fd(), &whole)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::fs::File;
    use std::io::{Read, Seek};

    use super::*;

    fn through(prefix: &str, writes: &[&str]) -> String {
        let mut file = tempfile();
        let to = Arc::new(Mutex::new(file.try_clone().unwrap().into()));
        let mut sink = Sink::lines(to, prefix);
        for bytes in writes {
            sink.write(bytes.as_bytes()).unwrap();
        }
        sink.finish().unwrap();
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    fn tempfile() -> File {
        rustix::fs::memfd_create("sink", rustix::fs::MemfdFlags::CLOEXEC)
            .unwrap()
            .into()
    }

    #[test]
    fn every_line_has_its_prefix_however_it_was_written() {
        assert_eq!(
            through("web", &["a", "b\nc\n", "\n", "end"]),
            "web | ab\nweb | c\nweb | \nweb | end\n"
        );
        assert_eq!(through("web", &[""]), "");
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let long = "x".repeat(LONGEST_LINE + 5);
        let text = through("t", &[&long]);
        assert_eq!(text, format!("t | {long}\n"));
        let text = through("t", &[&long, "y"]);
        assert_eq!(text, format!("t | {long}\nt | y\n"));
    }
}
