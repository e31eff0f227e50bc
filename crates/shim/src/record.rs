//! The exit record: a few lines of text in the state directory, written whole or not at all.
use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FallocateFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::protocol::{Finish, Record};

const NAME: &str = "exit";
const TEMPORARY: &str = "exit.new";

/// Longer than any record.
const ROOM: u64 = 256;

/// Takes the room of a record beforehand: a disk that is full in the end must not cost it.
///
/// # Errors
/// openat(2), fallocate(2).
pub fn reserve(state: BorrowedFd<'_>) -> io::Result<()> {
    let file = open(state)?;
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, ROOM) {
        // Not every file system can; then the record takes its chance.
        Err(Errno::OPNOTSUPP) => Ok(()),
        other => Ok(other?),
    }
}

fn open(state: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::openat(
        state,
        TEMPORARY,
        flags,
        Mode::from_raw_mode(0o600),
    )?)
}

/// Writes the record: a new file, renamed over the name, so that a reader sees all of it or none. `durable` waits for the disk.
///
/// # Errors
/// openat(2), write(2), renameat(2), fsync(2).
pub fn write(state: BorrowedFd<'_>, record: &Record, durable: bool) -> io::Result<()> {
    let mut text = String::with_capacity(160);
    let Record {
        finish,
        oom_kills,
        stopped_by,
        forced,
        deaf,
        ended_at,
    } = record;
    let Finish { code, signal, core } = finish;
    let stopped_by = stopped_by.unwrap_or(0);
    writeln!(
        text,
        "code {code}\nsignal {signal}\ncore {}\noom_kills {oom_kills}\nstopped_by {stopped_by}\nforced {}\ndeaf {}\nended_at {ended_at}",
        u8::from(*core),
        u8::from(*forced),
        u8::from(*deaf),
    )
    .map_err(io::Error::other)?;
    // Not truncated before it is written: that would give back what was reserved.
    let file = open(state)?;
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        rest = &rest[rustix::io::write(&file, rest)?..];
    }
    rustix::fs::ftruncate(&file, text.len() as u64)?;
    if durable {
        rustix::fs::fsync(file.as_fd())?;
    }
    rustix::fs::renameat(state, TEMPORARY, state, NAME)?;
    if durable {
        rustix::fs::fsync(state)?;
    }
    Ok(())
}

/// Reads the record; `None`: there is none.
///
/// # Errors
/// read(2); a record that is damaged.
pub fn read(state: &Path) -> io::Result<Option<Record>> {
    let path = state.join(NAME);
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&text).map(Some).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the exit record {} is damaged", path.display()),
            )
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(text: &str) -> Option<Record> {
    let field = |name: &str| {
        text.lines().find_map(|line| {
            line.strip_prefix(name)?
                .strip_prefix(' ')?
                .parse::<i64>()
                .ok()
        })
    };
    let number = |name: &str| field(name).and_then(|value| i32::try_from(value).ok());
    let flag = |name: &str| field(name).map(|value| value != 0);
    Some(Record {
        finish: Finish {
            code: number("code")?,
            signal: number("signal")?,
            core: flag("core")?,
        },
        oom_kills: field("oom_kills")? as u64,
        stopped_by: Some(number("stopped_by")?).filter(|signal| *signal != 0),
        forced: flag("forced")?,
        deaf: flag("deaf")?,
        ended_at: field("ended_at")? as u64,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let dir = std::env::temp_dir().join(format!("encamp-record-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let state = std::fs::File::open(&dir).unwrap();
        assert_eq!(read(&dir).unwrap(), None);
        let finish = Finish {
            code: 0,
            signal: 9,
            core: false,
        };
        let record = Record {
            finish,
            oom_kills: 2,
            stopped_by: Some(15),
            forced: true,
            deaf: false,
            ended_at: 5,
        };
        reserve(state.as_fd()).unwrap();
        assert_eq!(read(&dir).unwrap(), None);
        write(state.as_fd(), &record, true).unwrap();
        assert_eq!(read(&dir).unwrap(), Some(record));
        std::fs::write(dir.join(NAME), "code 1\nsig").unwrap();
        assert!(read(&dir).is_err());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
