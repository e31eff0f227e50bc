//! A task's log files: `alloc/logs/<task>.<stream>.<n>`, as many and as large as `logs` says, the oldest removed.
//!
//! Tasks may write to that directory, so nothing in it is trusted: it is held open from before the first start, a file
//! is only ever made new, where nothing is, following no link, and what a task has put in its place is removed by name
//! and not looked at. The file being written is held open, so what becomes of its name does not matter. Files are
//! root's: a task can read and remove them, and write to them only with a capability that lets it (`exec` has
//! `dac_override`); whoever reads them expects nothing of them.
//!
//! A file that cannot be written stops nobody: what is lost is counted and told.
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use jobspec::Logs;
use rustix::fs::{AtFlags, Mode, OFlags, fchmod, openat, unlinkat};
use rustix::io::Errno;

use crate::dirs::Dir;

/// As far back from the end of a file Nomad looks for the end of a line to cut at.
const LOOK_BACK: usize = 32 << 10;
/// So many names in the way of a new file are stepped over.
const ATTEMPTS: u32 = 16;

/// The log files of one stream.
#[derive(Debug)]
pub(crate) struct Rotation {
    dir: Arc<Dir>,
    /// `<task>.<stream>`
    name: String,
    max_files: u32,
    max_bytes: u64,
    /// Of the next file.
    next: u64,
    /// The numbers of files that were made and not removed, the oldest first.
    made: std::collections::VecDeque<u64>,
    file: Option<File>,
    written: u64,
    dropped: u64,
    failing: bool,
}

impl Rotation {
    pub(crate) fn new(dir: &Arc<Dir>, task: &str, stream: &str, logs: Logs) -> Rotation {
        Rotation {
            dir: Arc::clone(dir),
            name: format!("{task}.{stream}"),
            max_files: logs.max_files,
            max_bytes: u64::from(logs.max_file_size_mb) << 20,
            next: 0,
            made: std::collections::VecDeque::new(),
            file: None,
            written: 0,
            dropped: 0,
            failing: false,
        }
    }

    /// Writes what can be written. The first failure in a row comes back, to be told.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<(), io::Error> {
        while !bytes.is_empty() {
            match self.write_some(bytes) {
                Ok(count) => {
                    self.failing = false;
                    bytes = &bytes[count..];
                }
                Err(error) => {
                    self.dropped += bytes.len() as u64;
                    let is_first = !self.failing;
                    self.failing = true;
                    return if is_first { Err(error) } else { Ok(()) };
                }
            }
        }
        Ok(())
    }

    /// How much was not written since the last time somebody asked.
    pub(crate) fn dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file.is_none() || self.written >= self.max_bytes {
            self.rotate()?;
        }
        let room = usize::try_from(self.max_bytes - self.written).unwrap_or(usize::MAX);
        let (part, is_last) = fitting(bytes, room);
        let Some(file) = &mut self.file else {
            return Ok(0);
        };
        let count = file.write(part)?;
        self.written += count as u64;
        if is_last && count == part.len() {
            // The rest of the line begins the next file.
            self.written = self.max_bytes;
        }
        Ok(count)
    }

    fn rotate(&mut self) -> io::Result<()> {
        let file = self.make()?;
        self.file = Some(file);
        self.written = 0;
        while self.made.len() > self.max_files as usize {
            let oldest = self.made.pop_front().unwrap_or_default();
            match self.remove(oldest) {
                Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn make(&mut self) -> io::Result<File> {
        let flags = OFlags::WRONLY
            | OFlags::CREATE
            | OFlags::EXCL
            | OFlags::APPEND
            | OFlags::NOFOLLOW
            | OFlags::CLOEXEC;
        for _ in 0..ATTEMPTS {
            let name = self.name_of(self.next);
            match openat(&self.dir, &name, flags, Mode::RUSR | Mode::WUSR) {
                Ok(fd) => {
                    // Tasks of any uid may read what they have said.
                    fchmod(&fd, Mode::from_raw_mode(0o644))?;
                    self.made.push_back(self.next);
                    self.next += 1;
                    return Ok(fd.into());
                }
                Err(Errno::EXIST) => match self.remove(self.next) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    // A directory stays where it is; the next number is as good.
                    Err(_) => self.next += 1,
                },
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EXIST.into())
    }

    fn remove(&self, number: u64) -> rustix::io::Result<()> {
        unlinkat(&self.dir, self.name_of(number), AtFlags::empty())
    }

    fn name_of(&self, number: u64) -> String {
        format!("{}.{number}", self.name)
    }
}

/// What of it goes into so much room, cut behind a line if one ends near; and whether the file is full then.
fn fitting(bytes: &[u8], room: usize) -> (&[u8], bool) {
    if bytes.len() <= room {
        return (bytes, false);
    }
    let from = room.saturating_sub(LOOK_BACK);
    let line = bytes[from..room].iter().rposition(|byte| *byte == b'\n');
    let end = line.map_or(room, |end| from + end + 1);
    (&bytes[..end], true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;
    use crate::testing::Scratch;

    fn rotation(scratch: &Scratch, max_files: u32) -> Rotation {
        let logs = Logs {
            max_files,
            max_file_size_mb: 1,
            disabled: false,
        };
        let dir = Arc::new(Dir::open(scratch.path()).unwrap());
        Rotation::new(&dir, "web", "stdout", logs)
    }

    fn sizes(scratch: &Scratch) -> Vec<(String, u64)> {
        let entry = |entry: io::Result<fs::DirEntry>| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, entry.metadata().unwrap().len())
        };
        let mut sizes: Vec<_> = fs::read_dir(scratch.path()).unwrap().map(entry).collect();
        sizes.sort();
        sizes
    }

    #[test]
    fn files_are_full_and_the_oldest_go() {
        let scratch = Scratch::new();
        let mut rotation = rotation(&scratch, 2);
        let line = [b'x'; 99].iter().chain(b"\n").copied().collect::<Vec<u8>>();
        let text = line.repeat(35_000);
        for part in text.chunks(5_000) {
            rotation.write(part).unwrap();
        }
        let whole = (1 << 20) / 100 * 100;
        let expected = [
            ("web.stdout.2".to_owned(), whole),
            ("web.stdout.3".to_owned(), 3_500_000 - 3 * whole),
        ];
        assert_eq!(sizes(&scratch), expected);
        assert_eq!(rotation.dropped(), 0);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_where_the_file_ends() {
        let scratch = Scratch::new();
        let mut rotation = rotation(&scratch, 9);
        rotation.write(b"first\n").unwrap();
        rotation.write(&vec![b'x'; 3 << 20]).unwrap();
        let sizes: Vec<u64> = sizes(&scratch).into_iter().map(|(_, size)| size).collect();
        assert_eq!(sizes, [1 << 20, 1 << 20, 1 << 20, 6]);
    }

    #[test]
    fn what_a_task_put_in_the_way_is_not_touched_behind_its_name() {
        let scratch = Scratch::new();
        let canary = Scratch::new();
        let secret = canary.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        let before = fs::metadata(&secret).unwrap();
        symlink(&secret, scratch.path().join("web.stdout.0")).unwrap();
        fs::hard_link(&secret, scratch.path().join("web.stdout.1")).unwrap();
        fs::create_dir(scratch.path().join("web.stdout.2")).unwrap();
        let mut rotation = rotation(&scratch, 9);
        for _ in 0..4 {
            rotation.write(&vec![b'x'; 1 << 20]).unwrap();
        }
        let after = fs::metadata(&secret).unwrap();
        assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
        assert_eq!((before.mode(), before.ino()), (after.mode(), after.ino()));
        let names: Vec<String> = sizes(&scratch).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "web.stdout.0",
                "web.stdout.1",
                "web.stdout.2",
                "web.stdout.3",
                "web.stdout.4"
            ]
        );
        assert!(
            fs::symlink_metadata(scratch.path().join("web.stdout.0"))
                .unwrap()
                .is_file()
        );
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_told_once() {
        let scratch = Scratch::new();
        let dir = scratch.path().join("logs");
        fs::create_dir(&dir).unwrap();
        let open = Arc::new(Dir::open(&dir).unwrap());
        let mut rotation = Rotation::new(&open, "web", "stderr", Logs::default());
        // A task has removed the directory.
        fs::remove_dir(&dir).unwrap();
        assert!(rotation.write(b"12345").is_err());
        assert!(rotation.write(b"678").is_ok());
        assert_eq!(rotation.dropped(), 8);
        assert_eq!(rotation.dropped(), 0);
    }
}
