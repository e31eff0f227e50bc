//! Where a stream of a task's output goes: on as it is, or line by line behind the task's name.
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use crate::output::lines::PrefixedLines;
use crate::tty::write_all;

/// The end of a stream.
#[derive(Debug)]
pub(crate) enum Sink {
    /// Byte for byte.
    Plain(OwnedFd),
    /// Whole lines, on a descriptor that others write lines to.
    Lines(Arc<Mutex<OwnedFd>>, PrefixedLines),
}

impl Sink {
    pub(crate) fn lines(to: Arc<Mutex<OwnedFd>>, task: &str) -> Sink {
        Sink::Lines(to, PrefixedLines::of(task))
    }

    /// Writes on what can be written.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Sink::Plain(to) => write_all(to.as_fd(), bytes),
            Sink::Lines(to, lines) => write_lines(to, &lines.take(bytes)),
        }
    }

    /// The task has ended: a line that it did not finish is one all the same.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match self {
            Sink::Plain(_) => Ok(()),
            Sink::Lines(to, lines) => write_lines(to, &lines.finish()),
        }
    }
}

fn write_lines(to: &Mutex<OwnedFd>, lines: &[u8]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let to = to.lock().unwrap_or_else(PoisonError::into_inner);
    write_all(to.as_fd(), lines)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::fs::File;
    use std::io::{Read, Seek};

    use super::*;

    #[test]
    fn lines_of_several_tasks_do_not_mix() {
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let mut file: File = rustix::fs::memfd_create("sink", flags).unwrap().into();
        let to = Arc::new(Mutex::new(file.try_clone().unwrap().into()));
        let mut sinks = ["one", "two"].map(|task| Sink::lines(Arc::clone(&to), task));
        for bytes in [b"a", b"b"] {
            for sink in &mut sinks {
                sink.write(bytes).unwrap();
            }
        }
        for sink in &mut sinks {
            sink.finish().unwrap();
        }
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one | ab\ntwo | ab\n");
    }
}
