//! Path, arguments and environment of an exec as one block of memory behind a descriptor, so that between clone and exec nothing has to
//! be put together: it is mapped, its offsets become pointers in place, and execve(2) gets them.
//!
//! Words of 8 bytes: 0 the path's offset, 1 the index of argv, 2 the index of envp, 3 the number of words; then both vectors, each ended by
//! a zero word; then the strings.
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
pub fn write(path: &Path, argv: &[String], env: &BTreeMap<String, String>) -> Result<OwnedFd, Error> {
    let path = c_string("the path of the command", path.as_os_str())?;
    let argv = argv.iter().map(|arg| c_string("an argument", OsStr::new(arg))).collect::<Result<Vec<_>, _>>()?;
    let envp = env.iter().map(|(name, value)| variable(name, value)).collect::<Result<Vec<_>, _>>()?;
    let bytes = lay_out(&path, &argv, &envp);
    let fd = rustix::fs::memfd_create(c"command", MemfdFlags::CLOEXEC).map_err(|e| Error::call("make a memfd", e))?;
    write_whole(&fd, &bytes).map_err(|e| Error::call("write the command's strings", e))?;
    Ok(fd)
}

fn variable(name: &str, value: &str) -> Result<CString, Error> {
    c_string(&format!("the environment variable {name}"), OsStr::new(&format!("{name}={value}")))
}

fn c_string(what: &str, text: &OsStr) -> Result<CString, Error> {
    CString::new(text.as_bytes()).map_err(|_| Error::Nul { what: what.to_owned() })
}

fn lay_out(path: &CString, argv: &[CString], envp: &[CString]) -> Vec<u8> {
    let words = HEADER + argv.len() + 1 + envp.len() + 1;
    let mut offset = words * 8;
    let mut place = |string: &CString| {
        let at = offset as u64;
        offset += string.as_bytes_with_nul().len();
        at
    };
    let mut table = vec![place(path), HEADER as u64, (HEADER + argv.len() + 1) as u64, words as u64];
    table.extend(argv.iter().map(&mut place));
    table.push(0);
    table.extend(envp.iter().map(&mut place));
    table.push(0);
    let mut bytes: Vec<u8> = table.iter().flat_map(|word| word.to_ne_bytes()).collect();
    for string in std::iter::once(path).chain(argv).chain(envp) {
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
