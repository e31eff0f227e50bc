//! Interface files: read whole, written in one call.
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use rustix::io::Errno;

use crate::Error;

/// The file's text, or `None` where this kernel or hierarchy has no such file, or no such cgroup any more.
pub(crate) fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

/// The number that is the whole file; `None` as for [`read`], and for `max`.
pub(crate) fn number(path: &Path) -> Result<Option<u64>, Error> {
    Ok(read(path)?.and_then(|text| text.trim().parse().ok()))
}

/// The number after `key` in a flat keyed file.
pub(crate) fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(name, _)| *name == key)?
        .1
        .trim()
        .parse()
        .ok()
}

/// Writes `value` to a file that exists; the caller decides what a failure means.
pub(crate) fn try_write(path: &Path, value: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)?
        .write_all(value.as_bytes())
}

/// Writes `value` to a file that exists.
pub(crate) fn write(path: &Path, value: &str) -> Result<(), Error> {
    try_write(path, value).map_err(|source| write_error(path, value, source))
}

pub(crate) fn write_error(path: &Path, value: &str, source: io::Error) -> Error {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Error::io(format!("write {name} = {value} to"), path, source)
}

/// ENODEV is what an open file of a removed cgroup answers; EOPNOTSUPP what a controller answers for a feature that
/// was configured out, and `cgroup.procs` in a threaded cgroup, whose processes are listed at the domain above.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP))
}

pub(crate) fn is_busy(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::BUSY)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_matched_whole() {
        let text = "oom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(keyed(text, "oom_kill"), Some(2));
        assert_eq!(keyed(text, "oom_ki"), None);
        assert_eq!(keyed("", "oom"), None);
    }

    #[test]
    fn a_missing_file_is_none_to_read_and_an_error_to_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory.max");
        assert_eq!(read(&path).unwrap(), None);
        let error = write(&path, "1").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("write memory.max = 1 to {}", path.display())
        );
        assert!(!path.exists());
    }

    #[test]
    fn max_is_no_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory.max");
        fs::write(&path, "max\n").unwrap();
        assert_eq!(number(&path).unwrap(), None);
        fs::write(&path, "4096\n").unwrap();
        assert_eq!(number(&path).unwrap(), Some(4096));
    }
}
