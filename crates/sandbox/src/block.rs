//! Paths, arguments and environment of an exec as one block of memory behind a descriptor, so that between clone and exec nothing has to
//! be put together: it is mapped, its offsets become pointers in place, and execve(2) gets them.
//!
//! Words of 8 bytes: 0 the index of the paths to try, 1 of argv, 2 of envp, 3 the number of words; then the three vectors of offsets, each
//! ended by a zero word; then the strings.
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::MemfdFlags;

use crate::Error;
use crate::sys::BLOCK_HEADER as HEADER;

/// Writes the block into a new memfd.
///
/// # Errors
/// A string with a NUL byte; memfd_create(2).
pub fn write(
    paths: &[&Path],
    argv: &[String],
    env: &BTreeMap<String, String>,
) -> Result<OwnedFd, Error> {
    let paths = paths
        .iter()
        .map(|path| c_string("the path of the command", path.as_os_str()));
    let paths = paths.collect::<Result<Vec<_>, _>>()?;
    let argv = argv
        .iter()
        .map(|arg| c_string("an argument", OsStr::new(arg)))
        .collect::<Result<Vec<_>, _>>()?;
    let envp = env
        .iter()
        .map(|(name, value)| variable(name, value))
        .collect::<Result<Vec<_>, _>>()?;
    let bytes = lay_out([&paths, &argv, &envp]);
    let fd = rustix::fs::memfd_create(c"command", MemfdFlags::CLOEXEC)
        .map_err(|e| Error::call("make a memfd", e))?;
    write_whole(&fd, &bytes).map_err(|e| Error::call("write the command's strings", e))?;
    Ok(fd)
}

fn variable(name: &str, value: &str) -> Result<CString, Error> {
    c_string(
        &format!("the environment variable {name}"),
        OsStr::new(&format!("{name}={value}")),
    )
}

fn c_string(what: &str, text: &OsStr) -> Result<CString, Error> {
    CString::new(text.as_bytes()).map_err(|_| Error::Nul {
        what: what.to_owned(),
    })
}

fn lay_out(vectors: [&[CString]; 3]) -> Vec<u8> {
    let words = HEADER + vectors.iter().map(|vector| vector.len() + 1).sum::<usize>();
    let mut table = vec![];
    let mut index = HEADER;
    for vector in vectors {
        table.push(index as u64);
        index += vector.len() + 1;
    }
    table.push(words as u64);
    let mut offset = words * 8;
    for vector in vectors {
        for string in vector {
            table.push(offset as u64);
            offset += string.as_bytes_with_nul().len();
        }
        table.push(0);
    }
    let mut bytes: Vec<u8> = table.iter().flat_map(|word| word.to_ne_bytes()).collect();
    for string in vectors.into_iter().flatten() {
        bytes.extend_from_slice(string.as_bytes_with_nul());
    }
    bytes
}

pub(crate) fn write_whole(fd: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = rustix::io::write(fd, bytes)?;
        bytes = &bytes[written..];
    }
    Ok(())
}
