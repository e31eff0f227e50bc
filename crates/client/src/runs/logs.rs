//! What a task has printed, from its log files.
//!
//! Tasks may write to the directory of their logs, so a reader takes only what the run itself has made: plain files of
//! root's with one name, opened following no link and without waiting for anybody.
//!
//! Whoever follows holds a lock on that directory, shared with others who do: a run that is about to remove it lets them
//! read what came last, for a moment.
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::dirs::Dir;
use crate::error::{Attempt, HostError};
use crate::runs::Seen;

const CHUNK: u16 = 32 << 10;

/// How long readers may take for what came last. A task can hold the lock just so, to no other end.
const READERS: Duration = Duration::from_secs(1);
/// How often it is tried.
const PERIOD: Duration = Duration::from_millis(5);

/// Waits until nobody reads logs in this directory any more, or for a moment.
pub(crate) fn await_readers(logs: &Dir) {
    let end = Instant::now() + READERS;
    let is_read = || flock(logs, FlockOperation::NonBlockingLockExclusive).is_err();
    while is_read() && Instant::now() < end {
        std::thread::sleep(PERIOD);
    }
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The host, or the run has ended meanwhile.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Which of a task's two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names")]
pub enum Stream {
    Stdout,
    Stderr,
}

/// A place in the log files of one stream.
#[derive(Debug)]
pub struct Tail {
    logs: Dir,
    /// `<task>.<stream>.`
    prefix: String,
    /// The file that is being read.
    current: Option<(u64, File)>,
}

impl Tail {
    /// The beginning of what is still there.
    ///
    /// # Errors
    /// The allocation's directories are gone, or are none any more.
    pub fn of(seen: &Seen, stream: Stream) -> Result<Tail, LogError> {
        let alloc = Dir::open(&seen.alloc.encamp.alloc_dir)?;
        let stream = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        Ok(Tail {
            logs: alloc.child("alloc")?.child("logs")?,
            prefix: format!("{}.{stream}.", seen.name),
            current: None,
        })
    }

    /// Asks the run to leave the files where they are until this is dropped, or a moment longer than it lives.
    ///
    /// # Errors
    /// They are being removed already.
    pub fn hold(&self) -> Result<(), LogError> {
        let held = flock(&self.logs, FlockOperation::NonBlockingLockShared);
        Ok(held.attempt(|| self.act())?)
    }

    /// What comes next; empty: nothing yet.
    ///
    /// # Errors
    /// read(2).
    pub fn read(&mut self) -> Result<Vec<u8>, LogError> {
        loop {
            let some = self.read_current()?;
            if !some.is_empty() {
                return Ok(some);
            }
            let Some(next) = self.next() else {
                return Ok(some);
            };
            // The next file was begun after the last byte of this one, which may have come since we looked.
            let rest = self.read_current()?;
            if !rest.is_empty() {
                return Ok(rest);
            }
            self.current = Some(next);
        }
    }

    /// Goes to where so many lines are left.
    ///
    /// # Errors
    /// read(2).
    pub fn skip_to_last(&mut self, lines: usize) -> Result<(), LogError> {
        let mut missing = lines;
        let mut numbers = self.numbers();
        self.current = None;
        while let Some(number) = numbers.pop() {
            let Some(mut file) = self.open(number) else {
                continue;
            };
            let found = seek_back(&mut file, missing).attempt(|| self.act())?;
            self.current = Some((number, file));
            match missing.checked_sub(found) {
                Some(left @ 1..) => missing = left,
                _ => break,
            }
        }
        Ok(())
    }

    fn act(&self) -> String {
        format!("read {}/{}*", self.logs.path().display(), self.prefix)
    }

    fn read_current(&mut self) -> Result<Vec<u8>, HostError> {
        let Some((_, file)) = &mut self.current else {
            return Ok(Vec::new());
        };
        let mut bytes = vec![0; usize::from(CHUNK)];
        let read = file.read(&mut bytes);
        bytes.truncate(read.attempt(|| self.act())?);
        Ok(bytes)
    }

    /// The first file after the present one that can be taken.
    fn next(&self) -> Option<(u64, File)> {
        let after = self.current.as_ref().map(|(number, _)| *number);
        let numbers = self.numbers().into_iter();
        numbers
            .filter(|number| after.is_none_or(|after| *number > after))
            .find_map(|number| Some((number, self.open(number)?)))
    }

    /// Of the files that are there now, in order.
    fn numbers(&self) -> Vec<u64> {
        let names = self.logs.names().unwrap_or_default();
        let number = |name: &String| {
            let digits = name.strip_prefix(&self.prefix)?;
            let number: u64 = digits.parse().ok()?;
            // `+1` and `01` are names that the run does not give.
            (number.to_string() == digits).then_some(number)
        };
        let mut numbers: Vec<_> = names.iter().filter_map(number).collect();
        numbers.sort_unstable();
        numbers
    }

    fn open(&self, number: u64) -> Option<File> {
        let name = format!("{}{number}", self.prefix);
        let file = self
            .logs
            .file(&name, OFlags::RDONLY | OFlags::NONBLOCK)
            .ok()?;
        let meta = file.metadata().ok()?;
        let is_the_runs = meta.is_file() && meta.nlink() <= 1 && meta.uid() == maker();
        is_the_runs.then_some(file)
    }
}

/// Who makes log files: root, or in a test whoever runs it.
fn maker() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Goes back so many lines from the end, or to the beginning. How many there were.
fn seek_back(file: &mut File, lines: usize) -> std::io::Result<usize> {
    let mut at = file.seek(SeekFrom::End(0))?;
    if lines == 0 || at == 0 {
        return Ok(0);
    }
    let (mut found, mut is_last) = (0, true);
    while at > 0 {
        let size = at.min(CHUNK.into());
        at -= size;
        file.seek(SeekFrom::Start(at))?;
        let mut block = Vec::new();
        (&mut *file).take(size).read_to_end(&mut block)?;
        for (offset, _) in block
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, byte)| **byte == b'\n')
        {
            // The newline at the very end ends a line and begins none.
            let ends_all = std::mem::take(&mut is_last) && offset + 1 == block.len();
            if ends_all {
                continue;
            }
            found += 1;
            if found == lines {
                file.seek(SeekFrom::Start(at + offset as u64 + 1))?;
                return Ok(lines);
            }
        }
        is_last = false;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(found + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::testing::Scratch;

    fn tail(scratch: &Scratch) -> Tail {
        Tail {
            logs: Dir::open(scratch.path()).unwrap(),
            prefix: "web.stdout.".to_owned(),
            current: None,
        }
    }

    fn write(scratch: &Scratch, name: &str, text: &str) {
        std::fs::write(scratch.path().join(name), text).unwrap();
    }

    fn rest(tail: &mut Tail) -> String {
        let mut all = Vec::new();
        loop {
            let some = tail.read().unwrap();
            if some.is_empty() {
                return String::from_utf8(all).unwrap();
            }
            all.extend(some);
        }
    }

    #[test]
    fn files_are_read_in_their_order_and_on_across_a_rotation() {
        let scratch = Scratch::new();
        for number in [9, 10, 11] {
            write(
                &scratch,
                &format!("web.stdout.{number}"),
                &format!("{number} "),
            );
        }
        write(&scratch, "web.stderr.0", "no");
        write(&scratch, "web.stdout.012", "no");
        let mut tail = tail(&scratch);
        assert_eq!(rest(&mut tail), "9 10 11 ");
        write(&scratch, "web.stdout.11", "11 more");
        write(&scratch, "web.stdout.12", "!");
        assert_eq!(rest(&mut tail), "more!");
    }

    #[test]
    fn what_a_task_has_planted_is_not_read() {
        let scratch = Scratch::new();
        symlink("/etc/hostname", scratch.path().join("web.stdout.0")).unwrap();
        std::fs::create_dir(scratch.path().join("web.stdout.1")).unwrap();
        Dir::open(scratch.path())
            .unwrap()
            .make_fifo("web.stdout.2")
            .unwrap();
        write(&scratch, "other", "linked");
        std::fs::hard_link(
            scratch.path().join("other"),
            scratch.path().join("web.stdout.3"),
        )
        .unwrap();
        write(&scratch, "web.stdout.4", "own");
        assert_eq!(rest(&mut tail(&scratch)), "own");
    }

    #[test]
    fn the_last_lines_are_found_across_files() {
        let scratch = Scratch::new();
        write(&scratch, "web.stdout.0", "a\nb\nc\n");
        write(&scratch, "web.stdout.1", "d\ne\n");
        for (lines, expected) in [
            (0, ""),
            (1, "e\n"),
            (2, "d\ne\n"),
            (3, "c\nd\ne\n"),
            (4, "b\nc\nd\ne\n"),
            (9, "a\nb\nc\nd\ne\n"),
        ] {
            let mut tail = tail(&scratch);
            tail.skip_to_last(lines).unwrap();
            assert_eq!(rest(&mut tail), expected, "{lines}");
        }
        write(&scratch, "web.stdout.1", "d\nunfinished");
        let mut tail = tail(&scratch);
        tail.skip_to_last(1).unwrap();
        assert_eq!(rest(&mut tail), "unfinished");
    }

    #[test]
    fn whoever_follows_is_waited_for_and_not_for_ever() {
        let scratch = Scratch::new();
        let logs = Dir::open(scratch.path()).unwrap();
        let following = tail(&scratch);
        following.hold().unwrap();
        let (began, last) = (Instant::now(), Duration::from_millis(200));
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(last);
                drop(following);
            });
            await_readers(&logs);
        });
        assert!(began.elapsed() >= last);
        let stays = tail(&scratch);
        assert!(stays.hold().is_err(), "it is about to be removed");
        drop(logs);
        stays.hold().unwrap();
        await_readers(&Dir::open(scratch.path()).unwrap());
    }

    #[test]
    fn long_lines_are_found_too() {
        let scratch = Scratch::new();
        let long = "x".repeat(100_000);
        write(&scratch, "web.stdout.0", &format!("first\n{long}\nlast\n"));
        let mut tail = tail(&scratch);
        tail.skip_to_last(2).unwrap();
        assert_eq!(rest(&mut tail), format!("{long}\nlast\n"));
    }
}
