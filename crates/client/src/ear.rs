//! Whether somebody listens to what the sandbox denies the tasks of a run, and when that is told.
use std::path::Path;
use std::sync::Arc;

use driver::denials::{Denials, Error, LOCK, Left, Watch};
use driver::{Driver, ExitResult, Kind};

use crate::settings::{Settings, Telling};

/// The ear of a run. Audit is put back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    watch: Option<Arc<Watch>>,
    /// Why it is deaf.
    deaf: Option<Error>,
}

/// What is told of an end.
#[derive(Debug)]
pub(crate) enum Heard<'a> {
    /// What was denied.
    Denied(Denials),
    /// Nobody knows, and why.
    Unknown(&'a Error),
}

impl Ear {
    /// Listens, if there is a task that can be denied something in a way that is told.
    pub(crate) fn open<'d>(settings: &Settings, drivers: impl Iterator<Item = &'d Driver>) -> Ear {
        let drivers: Vec<_> = drivers
            .filter(|driver| driver.kind() == Kind::Exec2)
            .collect();
        if drivers.is_empty() {
            return Ear::default();
        }
        // Whoever is against it, on the command line or in the driver's configuration, has the say.
        let alone = drivers
            .iter()
            .any(|driver| driver.audit() == Some(Left::Alone));
        let left = if alone { Left::Alone } else { settings.audit };
        match Watch::open(Path::new(LOCK), left) {
            Ok(watch) => {
                let watch = Arc::new(watch);
                drivers.iter().for_each(|driver| driver.watch(&watch));
                Ear {
                    watch: Some(watch),
                    deaf: None,
                }
            }
            Err(error) => Ear {
                watch: None,
                deaf: Some(error),
            },
        }
    }

    /// Ends the listening. Putting audit back takes the kernel a moment: the run clears up meanwhile.
    pub(crate) fn end(&self) {
        self.watch.iter().for_each(|watch| watch.end());
    }

    /// What is worth telling after an end that nobody asked for, or after any.
    pub(crate) fn hear(
        &self,
        end: &ExitResult,
        stopped: Stopped,
        telling: Telling,
        ask: impl FnOnce() -> Option<Denials>,
    ) -> Option<Heard<'_>> {
        let well = end.exit_code == 0 && end.signal == 0 && end.error.is_none();
        let is_wanted = telling == Telling::Always || (!well && stopped == Stopped::ByItself);
        if !is_wanted {
            return None;
        }
        if self.watch.is_some() {
            return ask()
                .filter(|denials| !denials.is_empty())
                .map(Heard::Denied);
        }
        // A shell says so of what it may not execute; whatever else a program was denied it says in words of its own.
        let deaf = self.deaf.as_ref();
        deaf.filter(|_| end.exit_code == NOT_EXECUTABLE || telling == Telling::Always)
            .map(Heard::Unknown)
    }
}

const NOT_EXECUTABLE: i32 = 126;

/// Who ended a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    ByItself,
    BySomebody,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(ear: &Ear, exit_code: i32, stopped: Stopped, telling: Telling) -> bool {
        let end = ExitResult {
            exit_code,
            ..ExitResult::default()
        };
        ear.hear(&end, stopped, telling, || None).is_some()
    }

    #[test]
    fn a_deaf_ear_says_so_only_where_something_looks_denied() {
        let ear = Ear {
            watch: None,
            deaf: Some(Error::Off),
        };
        let (itself, bad_ends) = (Stopped::ByItself, Telling::BadEnds);
        assert!(heard(&ear, 126, itself, bad_ends));
        assert!(!heard(&ear, 1, itself, bad_ends) && !heard(&ear, 0, itself, bad_ends));
        assert!(!heard(&ear, 126, Stopped::BySomebody, bad_ends));
        assert!(heard(&ear, 0, itself, Telling::Always));
        assert!(!heard(&Ear::default(), 126, itself, Telling::Always));
    }
}
