//! Finds the executable in the tree as the process will see it, and makes sure that it can be executed.
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};

use crate::Error;
use crate::spec::{Executable, Unexecutable};
use crate::view::{Found, View, path_of};

/// The first candidate that is a regular file, as it was asked for (links unresolved: `$0` and `argv[0]` depend on the name).
///
/// # Errors
/// None is there; it has no execute permission and cannot be given any.
pub(crate) fn find(executable: &Executable, view: &View) -> Result<PathBuf, Error> {
    for candidate in &executable.candidates {
        let Some(found) = view.find(&candidate.target)? else {
            continue;
        };
        if !found.is(FileType::RegularFile) {
            continue;
        }
        if found.stat.st_mode & 0o111 != 0o111 && candidate.unexecutable == Unexecutable::Chmod {
            make_executable(&found, &candidate.target)?;
        } else if found.stat.st_mode & 0o111 == 0 {
            return Err(refused(&candidate.target, "it has no execute permission"));
        }
        return Ok(candidate.target.clone());
    }
    Err(not_found(executable, view))
}

/// Adds the execute bits through the descriptor: the path may change hands, the file may not.
fn make_executable(found: &Found, target: &Path) -> Result<(), Error> {
    let mode = Mode::from_raw_mode((found.stat.st_mode & 0o7777) | 0o111);
    match rustix::fs::chmod(path_of(found.fd.as_fd()), mode) {
        Ok(()) => Ok(()),
        Err(_) if found.stat.st_mode & 0o111 != 0 => Ok(()),
        Err(error) => Err(refused(
            target,
            &format!("it has no execute permission and cannot be given any ({error})"),
        )),
    }
}

fn refused(path: &Path, why: &str) -> Error {
    let reason = format!("{why}; run chmod +x on it where it comes from");
    Error::NotExecutable {
        path: path.to_owned(),
        reason,
    }
}

/// Tells a directory or a device from nothing at all.
fn not_found(executable: &Executable, view: &View) -> Error {
    for candidate in &executable.candidates {
        if let Ok(found) = view.resolve(&candidate.target) {
            let kind = FileType::from_raw_mode(found.stat.st_mode);
            let reason = format!("it is a {}, not a regular file", word(kind));
            return Error::NotExecutable {
                path: candidate.target.clone(),
                reason,
            };
        }
    }
    let searched = executable
        .candidates
        .iter()
        .map(|candidate| candidate.target.display().to_string())
        .collect();
    Error::NotFound {
        name: executable.name.clone(),
        searched,
    }
}

fn word(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "directory",
        FileType::Fifo => "FIFO",
        FileType::Socket => "socket",
        FileType::CharacterDevice | FileType::BlockDevice => "device",
        _ => "special file",
    }
}

/// What an ENOENT or EACCES of execve(2) on a file that exists means: its first line or its loader.
pub fn explain(path: &str, error: &std::io::Error, head: &[u8]) -> String {
    let interpreter = head
        .strip_prefix(b"#!")
        .and_then(|rest| rest.split(|byte| *byte == b'\n').next());
    let name = interpreter.map(|line| String::from_utf8_lossy(line).trim().to_owned());
    match (error.raw_os_error(), name) {
        (Some(libc::ENOENT), Some(name)) => {
            format!("{path}: its interpreter {name} does not exist inside")
        }
        (Some(libc::ENOENT), None) => format!("{path}: the loader it names does not exist inside"),
        (Some(libc::EACCES), Some(name)) => {
            format!("{path}: it or its interpreter {name} may not be executed inside")
        }
        (Some(libc::ENOEXEC), _) => {
            format!("{path}: it is neither a program for this machine nor a script with #!")
        }
        _ => format!("{path} may not be executed inside"),
    }
}

/// The first bytes of the executable, for [`explain`].
pub(crate) fn head(view: &View, target: &Path) -> Vec<u8> {
    let mut bytes = vec![0; 128];
    let read = view.resolve(target).and_then(|found| {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::open(path_of(found.fd.as_fd()), flags, Mode::empty())?;
        rustix::io::read(&file, &mut bytes)
    });
    // Not readable: then there is nothing to explain with.
    bytes.truncate(read.unwrap_or(0));
    bytes
}
