//! proc_pid_mountinfo(5), as far as it is needed: where things are mounted.
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::Error;

/// Mount points strictly below `path`, parents first.
pub(crate) fn below(path: &Path) -> Result<Vec<PathBuf>, Error> {
    const FILE: &str = "/proc/self/mountinfo";
    let text = std::fs::read(FILE).map_err(|e| Error::path("read", FILE, e))?;
    let mut points: Vec<PathBuf> = parse(&text)
        .filter(|point| point != path && point.starts_with(path))
        .collect();
    points.sort();
    points.dedup();
    Ok(points)
}

fn parse(text: &[u8]) -> impl Iterator<Item = PathBuf> + '_ {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let field = line.split(|byte| *byte == b' ').nth(4)?;
        Some(PathBuf::from(OsString::from_vec(unescape(field))))
    })
}

/// Blank, tab, newline and backslash are written as `\ooo`.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = vec![];
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let octal = (*first == b'\\').then(|| tail.get(..3)).flatten();
        let value =
            octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match value {
            Some(value) => {
                bytes.push(value);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_unescaped() {
        let text = b"22 1 8:1 / / rw - ext4 /dev/sda rw\n36 22 8:1 /x /usr/my\\040dir rw shared:1 - ext4 /dev/sda rw\n";
        let points: Vec<_> = parse(text).collect();
        assert_eq!(points, [PathBuf::from("/"), PathBuf::from("/usr/my dir")]);
    }
}
