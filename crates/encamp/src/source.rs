//! Texts that a command is given: job files and files of variables.
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A byte more than the reader of job files takes: what is longer need not be held in memory to be refused.
const ENOUGH: u64 = jobspec::MAX_BYTES as u64 + 1;

/// Whether a path stands for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Reads a text file; `-` is standard input.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    if is_stdin(path) {
        io::stdin().take(ENOUGH).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(ENOUGH).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 == ENOUGH {
        // Cut anywhere; it is refused for its length.
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
