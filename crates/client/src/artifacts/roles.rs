//! The two processes of ours that are started in the course of fetching: this very program under a hidden word.
use std::ffi::OsString;
use std::process::ExitCode;

use super::{fetcher, launcher};

/// The word for the launcher.
pub(super) const LAUNCHER: &str = "artifact-launcher";
/// The word for the fetcher.
pub(super) const FETCHER: &str = "artifact-fetcher";

/// Plays the role that the arguments ask for, if they ask for one. Whoever asks by hand gets nothing: both begin with an order
/// that only this program writes.
pub fn role(arguments: &[OsString]) -> Option<ExitCode> {
    match arguments {
        [_, word] if *word == *LAUNCHER => Some(launcher::main()),
        [_, word] if *word == *FETCHER => Some(fetcher::main()),
        _ => None,
    }
}
