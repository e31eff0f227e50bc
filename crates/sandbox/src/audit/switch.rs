//! Audit switched on for as long as somebody reads, and put back by the last one.
//!
//! The lock file is shared by everybody on the machine who has switched audit on: each holds it shared, and whoever gets it alone is the last.
//! The kernel drops the locks of those who are killed; what they leave is put back by [`sweep`].
use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::rule::{self, Rules};
use super::status::{self, status};
use super::{Error, Status};

/// Whether audit may be switched on where it is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It stays as it is.
    Alone,
    /// It is switched on, and put back.
    On,
}

/// Audit is on as long as this lives. Dropping the last one of the machine puts it back.
#[derive(Debug)]
pub struct Switch {
    /// `None`: it was on anyway.
    held: Option<(PathBuf, File)>,
    /// Records that the kernel had lost before.
    pub lost: u32,
}

impl Switch {
    /// Sees to it that records are made: nothing is changed where they are, and never against whoever runs this host.
    ///
    /// # Errors
    /// Why there are none.
    pub fn hold(lock: &Path, left: Left) -> Result<Switch, Error> {
        require_abi()?;
        let file = lock_shared(lock).map_err(Error::call("lock the switch of kernel audit"))?;
        // From here on nobody puts anything back, and a failure puts back what was done.
        let mut switch = Switch {
            held: Some((lock.to_owned(), file)),
            lost: 0,
        };
        let found = status()?;
        switch.lost = found.lost;
        match (possible(found)?, rule::look()?) {
            (Outlook::Daemon(_), _) | (Outlook::On, Rules::None | Rules::Others) => switch.let_go(),
            (Outlook::Off, Rules::Others) => return Err(Error::OffOnPurpose),
            (Outlook::Off, Rules::None) if left == Left::Alone => return Err(Error::Off),
            // First the rule: nobody is born between the two who pays for it.
            (Outlook::Off, Rules::None) => rule::add().and_then(|()| status::enable(1))?,
            (Outlook::Off | Outlook::On, Rules::Ours) => status::enable(1)?,
        }
        Ok(switch)
    }

    fn let_go(&mut self) {
        if let Some((path, file)) = self.held.take() {
            // The next sweep tries again.
            let _ = close(&path, &file);
        }
    }
}

/// What would be found by whoever wants to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// Records are made.
    On,
    /// Records are made, and this process is the audit daemon, or was the last one where audit is locked.
    Daemon(u32),
    /// Audit is off and can be switched on.
    Off,
}

/// Looks whether denials can be read here; changes nothing.
///
/// # Errors
/// Why they cannot.
pub fn outlook() -> Result<Outlook, Error> {
    require_abi()?;
    let found = possible(status()?)?;
    match found {
        Outlook::Off if rule::look()? == Rules::Others => Err(Error::OffOnPurpose),
        _ => Ok(found),
    }
}

fn require_abi() -> Result<(), Error> {
    match crate::landlock::abi().unwrap_or(0) {
        crate::landlock::LOGGED_SINCE.. => Ok(()),
        abi => Err(Error::Abi { abi }),
    }
}

/// Whether there can be records, and who else has a say in it.
fn possible(found: Status) -> Result<Outlook, Error> {
    if found.panics() {
        return Err(Error::Panics);
    }
    Ok(match found.is_on() {
        false => Outlook::Off,
        true if ours_alone(found) => Outlook::On,
        true => Outlook::Daemon(found.pid),
    })
}

/// Whether nobody else has a say in it.
fn ours_alone(status: Status) -> bool {
    status.pid == 0 && status.enabled == 1
}

/// An audit daemon that came meanwhile keeps what it found on.
fn put_back() -> Result<(), Error> {
    if rule::look()? != Rules::Ours {
        return Ok(());
    }
    if ours_alone(status()?) {
        status::enable(0)?;
    }
    rule::remove()
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Puts audit back if those who switched it on were killed.
///
/// # Errors
/// What could not be put back.
pub fn sweep(lock: &Path) -> Result<(), Error> {
    match open(lock, Create::Never) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => {
            let file = other.map_err(Error::call("open the lock of kernel audit's switch"))?;
            close(lock, &file)
        }
    }
}

/// The last one puts back and removes the file.
fn close(lock: &Path, file: &File) -> Result<(), Error> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => return Ok(()),
        other => {
            other.map_err(|errno| Error::call("lock the switch of kernel audit")(errno.into()))?
        }
    }
    if is_at(file, lock).unwrap_or(false) {
        put_back()?;
        std::fs::remove_file(lock)
            .map_err(Error::call("remove the lock of kernel audit's switch"))?;
    }
    Ok(())
}

/// The file may be removed by the last holder between its opening and its locking.
fn lock_shared(path: &Path) -> io::Result<File> {
    loop {
        let file = open(path, Create::IfMissing)?;
        flock(&file, FlockOperation::LockShared)?;
        if is_at(&file, path)? {
            return Ok(file);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Create {
    IfMissing,
    Never,
}

fn open(path: &Path, create: Create) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).mode(0o600);
    options.custom_flags(libc::O_NOFOLLOW);
    if create == Create::IfMissing {
        options.create(true);
    }
    options.open(path)
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match path.symlink_metadata() {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
