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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::fd::AsFd;

    use super::*;
    use crate::sys::Block;

    fn strings(words: &[&str]) -> Vec<CString> {
        words
            .iter()
            .map(|word| CString::new(*word).unwrap())
            .collect()
    }

    fn sample() -> Vec<u8> {
        let (paths, argv, envp) = (strings(&["/bin/x"]), strings(&["x", "y"]), strings(&[]));
        lay_out([&paths, &argv, &envp])
    }

    fn mapped(bytes: &[u8]) -> io::Result<Block> {
        let fd = rustix::fs::memfd_create(c"test", MemfdFlags::CLOEXEC)?;
        write_whole(&fd, bytes)?;
        Block::map(fd.as_fd())
    }

    /// The bytes with one word replaced.
    fn with_word(index: usize, value: u64) -> Vec<u8> {
        let mut bytes = sample();
        bytes[index * 8..index * 8 + 8].copy_from_slice(&value.to_ne_bytes());
        bytes
    }

    #[test]
    fn the_layout_is_header_vectors_strings() {
        let bytes = sample();
        let word = |n: usize| u64::from_ne_bytes(bytes[n * 8..n * 8 + 8].try_into().unwrap());
        let words: Vec<u64> = (0..10).map(word).collect();
        assert_eq!(words, [4, 6, 9, 10, 80, 0, 87, 89, 0, 0]);
        assert_eq!(&bytes[80..], b"/bin/x\0x\0y\0");
        assert!(mapped(&bytes).is_ok());
    }

    #[test]
    fn a_corrupt_block_is_refused() {
        let len = sample().len() as u64;
        let corrupt = [
            with_word(0, 10),
            with_word(1, u64::MAX),
            with_word(2, len),
            with_word(3, 0),
            with_word(3, u64::MAX),
            with_word(3, len),
            with_word(4, len),
            with_word(9, 80),
            sample()[..16].to_vec(),
            vec![0; 80],
            vec![0xff; 4096],
            vec![1],
        ];
        for bytes in corrupt {
            let error = mapped(&bytes).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EFAULT), "{bytes:?}");
        }
        assert!(mapped(&[]).is_err());
    }

    #[test]
    fn no_single_wrong_byte_leads_out_of_the_mapping() {
        let good = sample();
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = value;
                // Whether it is refused does not matter: it must not crash.
                drop(mapped(&bytes));
            }
        }
    }

    #[test]
    fn of_several_paths_the_one_that_may_not_be_executed_counts() {
        let run = |paths: &[&str]| {
            let paths: Vec<&Path> = paths.iter().map(Path::new).collect();
            let block = write(&paths, &["x".to_owned()], &BTreeMap::new()).unwrap();
            Block::map(block.as_fd()).unwrap().execute().raw_os_error()
        };
        assert_eq!(run(&["/missing/a", "/missing/b"]), Some(libc::ENOENT));
        assert_eq!(
            run(&["/missing/a", "/etc/passwd", "/missing/b"]),
            Some(libc::EACCES)
        );
        assert_eq!(run(&["/etc/passwd/x"]), Some(libc::ENOENT));
    }

    #[test]
    fn a_nul_is_named_by_where_it_is() {
        let env = BTreeMap::from([("A".to_owned(), "b\0".to_owned())]);
        let path = Path::new("/x");
        let told = |argv: &[String], env| write(&[path], argv, env).unwrap_err().to_string();
        assert_eq!(
            told(&[], &env),
            "the environment variable A holds a NUL byte"
        );
        assert_eq!(
            told(&["a\0".to_owned()], &BTreeMap::new()),
            "an argument holds a NUL byte"
        );
    }
}
