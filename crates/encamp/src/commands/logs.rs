//! `encamp logs`: what tasks have printed.
use std::os::fd::AsFd;
use std::time::Duration;

use client::PrefixedLines;
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
    if logs.follow {
        // A run that ends waits for us then. Of one that is ending already there is what there is.
        sources.iter().for_each(|source| drop(source.tail.hold()));
    }
    let mut all_read = pass_on(&mut sources)?;
    // Looked at before the files: what is written before the last task ends is read, too.
    while all_read && logs.follow {
        let over = found.iter().all(Seen::is_over);
        if !over {
            std::thread::sleep(PERIOD);
        }
        all_read = pass_on(&mut sources)?;
        if over {
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
    lines: Option<PrefixedLines>,
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
            lines: prefixed.then(|| PrefixedLines::of(&task.place())),
        })
    }

    fn pass_on(&mut self) -> Result<bool, Failure> {
        loop {
            let bytes = self.tail.read()?;
            if bytes.is_empty() {
                return Ok(true);
            }
            let bytes = match &mut self.lines {
                None => bytes,
                Some(lines) => lines.take(&bytes),
            };
            match write(self.stream, &bytes) {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(false),
                other => other?,
            }
        }
    }

    /// Writes the line that never ended.
    fn finish(&mut self) {
        if let Some(lines) = &mut self.lines {
            // Whoever reads no further wants no last line either.
            let _ = write(self.stream, &lines.finish());
        }
    }
}

fn write(stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
    match stream {
        Stream::Stdout => client::tty::write_all(std::io::stdout().as_fd(), bytes),
        Stream::Stderr => client::tty::write_all(std::io::stderr().as_fd(), bytes),
    }
}
