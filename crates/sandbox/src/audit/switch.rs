//! Audit switched on for as long as somebody reads, and put back by the last one.
//!
//! The lock file is shared by everybody on the machine who has switched audit on: each holds it shared, and whoever gets it alone is the last.
//! The kernel drops the locks of those who are killed; what they leave is put back by [`sweep`].
use std::fs::File;
use std::io;
use std::num::NonZeroU32;
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
        loop {
            let (file, company) =
                enter(lock).map_err(Error::call("lock the switch of kernel audit"))?;
            // From here on nobody puts anything back, and a failure puts back what was done.
            let mut switch = Switch {
                held: Some((lock.to_owned(), file)),
                lost: 0,
            };
            let found = status()?;
            switch.lost = found.lost;
            match act(possible(found)?, rule::look()?, left, company)? {
                Act::LetGo => switch.let_go(),
                Act::Nothing => {}
                // First the rule: nobody is born between the two who pays for it.
                Act::SwitchOn => rule::add().and_then(|()| status::enable(1))?,
            }
            if switch.shares()? {
                return Ok(switch);
            }
        }
    }

    /// Lets others in. Between the two locks somebody may have put everything back: then all begins anew.
    fn shares(&self) -> Result<bool, Error> {
        let Some((path, file)) = &self.held else {
            return Ok(true);
        };
        let shared = flock(file, FlockOperation::LockShared).map_err(io::Error::from);
        shared
            .and_then(|()| is_at(file, path))
            .map_err(Error::call("lock the switch of kernel audit"))
    }

    fn let_go(&mut self) {
        if let Some((path, file)) = self.held.take() {
            // The next sweep tries again.
            let _ = close(&path, &file);
        }
    }
}

/// What there is to do about what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Nothing, now or later.
    LetGo,
    /// Nothing now: it was done before.
    Nothing,
    SwitchOn,
}

fn act(found: Outlook, rules: Rules, left: Left, company: Company) -> Result<Act, Error> {
    match (found, rules) {
        (Outlook::Others(_), _) | (Outlook::On, Rules::None | Rules::Others) => Ok(Act::LetGo),
        (Outlook::On, Rules::Ours) => Ok(Act::Nothing),
        (Outlook::Off, Rules::Others) => Err(Error::OffOnPurpose),
        (Outlook::Off, _) if left == Left::Alone => Err(Error::Off),
        // Whoever is in there had switched it on: somebody else has switched it off since.
        (Outlook::Off, Rules::Ours) if company == Company::Others => Err(Error::OffOnPurpose),
        (Outlook::Off, Rules::None | Rules::Ours) => Ok(Act::SwitchOn),
    }
}

/// What would be found by whoever wants to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// Records are made.
    On,
    /// Records are made, and others have a say in it: the audit daemon is this process; without one audit is locked until the next boot.
    Others(Option<NonZeroU32>),
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

/// Whether our rule is there: one of us has switched audit on, and it was not put back yet.
///
/// # Errors
/// The rules cannot be listed.
pub fn is_marked() -> Result<bool, Error> {
    Ok(rule::look()? == Rules::Ours)
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
        true => Outlook::Others(NonZeroU32::new(found.pid)),
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

/// Who else holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    Nobody,
    Others,
}

/// Alone if nobody is in there, and nobody comes in meanwhile. The file may be removed by the last holder between its opening and its locking.
fn enter(path: &Path) -> io::Result<(File, Company)> {
    loop {
        let file = open(path, Create::IfMissing)?;
        let company = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Company::Nobody,
            Err(Errno::WOULDBLOCK) => {
                flock(&file, FlockOperation::LockShared)?;
                Company::Others
            }
            Err(errno) => return Err(errno.into()),
        };
        if is_at(&file, path)? {
            return Ok((file, company));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(found: Outlook, rules: Rules, left: Left, company: Company) -> String {
        match act(found, rules, left, company) {
            Ok(act) => format!("{act:?}"),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn audit_that_somebody_switched_off_stays_off() {
        use Company::{Nobody, Others};
        let off = Outlook::Off;
        for (rules, left, company, wanted) in [
            (Rules::None, Left::On, Nobody, "SwitchOn"),
            (Rules::None, Left::Alone, Nobody, "Off"),
            (Rules::Others, Left::On, Nobody, "OffOnPurpose"),
            (Rules::Others, Left::Alone, Nobody, "OffOnPurpose"),
            // Whoever added our rule died before it was on, or it was switched off meanwhile.
            (Rules::Ours, Left::On, Nobody, "SwitchOn"),
            (Rules::Ours, Left::Alone, Nobody, "Off"),
            (Rules::Ours, Left::On, Others, "OffOnPurpose"),
            (Rules::Ours, Left::Alone, Others, "Off"),
        ] {
            assert_eq!(
                told(off, rules, left, company),
                wanted,
                "{rules:?} {left:?}"
            );
        }
    }

    #[test]
    fn audit_that_is_on_is_left_as_it_is() {
        let daemon = Outlook::Others(NonZeroU32::new(7));
        for (found, rules, wanted) in [
            (daemon, Rules::Ours, "LetGo"),
            (Outlook::Others(None), Rules::None, "LetGo"),
            (Outlook::On, Rules::None, "LetGo"),
            (Outlook::On, Rules::Others, "LetGo"),
            (Outlook::On, Rules::Ours, "Nothing"),
        ] {
            let told = told(found, rules, Left::On, Company::Nobody);
            assert_eq!(told, wanted, "{found:?} {rules:?}");
        }
    }

    #[test]
    fn audit_that_is_locked_has_no_daemon() {
        let locked = Status {
            enabled: 2,
            ..Status::default()
        };
        assert_eq!(possible(locked).ok(), Some(Outlook::Others(None)));
        let of_a_daemon = Status { pid: 7, ..locked };
        let daemon = Outlook::Others(NonZeroU32::new(7));
        assert_eq!(possible(of_a_daemon).ok(), Some(daemon));
    }
}
