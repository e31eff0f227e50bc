//! Raw mode: each key goes on as it is typed, Ctrl-C too.
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

static RAW: AtomicBool = AtomicBool::new(false);

/// Whether a terminal is raw at the moment: a line that is written to it needs a carriage return of its own.
pub fn is_raw() -> bool {
    RAW.load(Ordering::Relaxed)
}

/// A terminal in raw mode; dropping this gives it its mode back, also when a thread panics.
#[derive(Debug)]
pub struct Raw {
    terminal: OwnedFd,
    before: Termios,
}

impl Raw {
    /// Makes a terminal raw.
    ///
    /// # Errors
    /// `ENOTTY` when it is none.
    pub fn new(terminal: impl AsFd) -> io::Result<Raw> {
        let terminal = terminal.as_fd().try_clone_to_owned()?;
        let before = tcgetattr(&terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&terminal, OptionalActions::Now, &raw)?;
        RAW.store(true, Ordering::Relaxed);
        Ok(Raw { terminal, before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Not `Drain`: a terminal that is held up (Ctrl-S) would hold us up. A terminal that is gone needs no mode.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
        RAW.store(false, Ordering::Relaxed);
    }
}
