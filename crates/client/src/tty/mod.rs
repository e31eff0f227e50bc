//! A person's terminal, and what lies between it and a task.
mod escape;
mod print;
mod raw;
mod relay;
mod wake;

pub use escape::Escape;
pub use raw::{Raw, is_raw};
pub use relay::{Ended, Relay, write_all};
pub use wake::Wake;

use std::os::fd::AsFd;

/// Lines and columns of a terminal; `None` when it is none, or does not know.
pub fn size(terminal: impl AsFd) -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}
