//! Descriptors 0, 1 and 2 of the process.
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;

use crate::Error;
use crate::spec::{Identity, Input, Output, Stdio};
use crate::view::{Links, host, path_of};

/// How long a FIFO may be without a reader before that is an error.
const PATIENCE: Duration = Duration::from_secs(5);

/// The three, and what the launcher keeps of them.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) stdio: [OwnedFd; 3],
    /// The near end of a pipe or a terminal.
    pub(crate) near: Option<OwnedFd>,
}

/// Opens all three. Terminals come from the devpts in `terminals`.
pub(crate) fn open(
    stdio: &Stdio,
    identity: &Identity,
    terminals: BorrowedFd<'_>,
) -> Result<Opened, Error> {
    let (stdin, near) = match stdio.stdin {
        Input::Null => (null(OFlags::RDONLY)?, None),
        Input::Pipe => pipe(identity).map(|(near, far)| (far, Some(near)))?,
        Input::Terminal { rows, columns } => {
            return terminal(identity, terminals, rows, columns)
                .map_err(|e| Error::call("make a terminal", e));
        }
    };
    Ok(Opened {
        stdio: [
            stdin,
            output(&stdio.stdout, identity)?,
            output(&stdio.stderr, identity)?,
        ],
        near,
    })
}

/// A pipe and no FIFO: `/dev/stdin` opens by path also when nobody writes any more.
fn pipe(identity: &Identity) -> Result<(OwnedFd, OwnedFd), Error> {
    let failed = |e: Errno| Error::call("make a pipe", e);
    let (far, near) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
    let owner = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    rustix::fs::fchown(&far, Some(owner.0), Some(owner.1)).map_err(failed)?;
    Ok((near, far))
}

fn terminal(
    identity: &Identity,
    terminals: BorrowedFd<'_>,
    rows: u16,
    columns: u16,
) -> std::io::Result<Opened> {
    let (near, far) = crate::terminal::open(terminals, identity.uid)?;
    crate::terminal::resize(near.as_fd(), rows, columns)?;
    Ok(Opened {
        stdio: [far.try_clone()?, far.try_clone()?, far],
        near: Some(near),
    })
}

fn null(access: OFlags) -> Result<OwnedFd, Error> {
    rustix::fs::open("/dev/null", access | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| Error::path("open", "/dev/null", e))
}

fn output(output: &Output, identity: &Identity) -> Result<OwnedFd, Error> {
    match output {
        Output::Null => null(OFlags::WRONLY),
        Output::Fifo(path) => fifo(path, identity),
    }
}

/// A FIFO for writing. It may lie where others can put something else in its place, so it is looked at through a descriptor first.
fn fifo(path: &Path, identity: &Identity) -> Result<OwnedFd, Error> {
    let failed = |act| move |e: Errno| Error::path(act, path, e);
    let fd = find(path)?;
    let stat = rustix::fs::fstat(&fd).map_err(failed("look at the FIFO"))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Fifo || stat.st_nlink != 1 {
        let problem =
            "is not a FIFO, or has a second name; it must be one that only its reader made"
                .to_owned();
        return Err(Error::Unfit {
            path: path.to_owned(),
            problem,
        });
    }
    let owner = (
        Some(Uid::from_raw(identity.uid)),
        Some(Gid::from_raw(identity.gid)),
    );
    // `/dev/stdout` opens by path only for the owner.
    rustix::fs::chownat(&fd, c"", owner.0, owner.1, AtFlags::EMPTY_PATH)
        .map_err(failed("change the owner of"))?;
    let file = open_with_reader(&path_of(fd.as_fd()))
        .map_err(failed("open for writing (is anybody reading?)"))?;
    rustix::fs::fcntl_setfl(&file, OFlags::WRONLY).map_err(failed("clear O_NONBLOCK of"))?;
    Ok(file)
}

/// The FIFO itself, `O_PATH`. It and the directory it lies in may be the process's to replace, and the process may be root: no link is
/// followed there, whoever owns it.
fn find(path: &Path) -> Result<OwnedFd, Error> {
    let view = host(Links::OfRoot)?;
    let above = path.ancestors().nth(2).unwrap_or_else(|| Path::new("/"));
    let below = path.strip_prefix(above).unwrap_or(path);
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let opened = view
        .resolve(above)
        .and_then(|above| rustix::fs::openat2(above.fd, below, flags, Mode::empty(), resolve));
    opened.map_err(|e| Error::path("open the FIFO", path, e))
}

/// Opening a FIFO for writing blocks until somebody reads (fifo(7)); this waits only so long.
fn open_with_reader(path: &str) -> Result<OwnedFd, Errno> {
    let start = Instant::now();
    loop {
        match rustix::fs::open(
            path,
            OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
            Mode::empty(),
        ) {
            Err(Errno::NXIO) if start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(2))
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_link_leads_to_a_fifo_not_even_one_of_roots() {
        let top = std::env::temp_dir().join(format!("encamp-fifo-{}", std::process::id()));
        std::fs::create_dir_all(top.join("logs")).unwrap();
        let fifo = top.join("logs/out");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
        symlink("logs", top.join("swapped")).unwrap();
        symlink("out", top.join("logs/link")).unwrap();
        let found: Vec<bool> = ["logs/out", "swapped/out", "logs/link", "logs/none"]
            .iter()
            .map(|path| find(&top.join(path)).is_ok())
            .collect();
        std::fs::remove_dir_all(&top).unwrap();
        assert_eq!(found, [true, false, false, false]);
    }
}
