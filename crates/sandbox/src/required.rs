//! Calls that there is no other way for: older than the oldest kernel, so where one is missing, something around us hides it.
use std::sync::OnceLock;

use crate::{Error, sys};

/// Number, name, and the Linux that brought it.
type Call = (libc::c_long, &'static str, &'static str);

/// In the order of their numbers. `clone3` is not here: launching finds that out, and it has another way.
const REQUIRED: [Call; 8] = [
    (libc::SYS_pidfd_send_signal, "pidfd_send_signal", "5.1"),
    (libc::SYS_open_tree, "open_tree", "5.2"),
    (libc::SYS_move_mount, "move_mount", "5.2"),
    (libc::SYS_fsopen, "fsopen", "5.2"),
    (libc::SYS_fsmount, "fsmount", "5.2"),
    (libc::SYS_close_range, "close_range", "5.11"),
    (libc::SYS_openat2, "openat2", "5.6"),
    (libc::SYS_mount_setattr, "mount_setattr", "5.12"),
];

/// Finds the calls that are missing; asked of the kernel once.
///
/// # Errors
/// [`Error::NoCalls`].
pub fn check() -> Result<(), Error> {
    static MISSING: OnceLock<Vec<Call>> = OnceLock::new();
    let missing = MISSING.get_or_init(|| {
        let mut calls = REQUIRED.to_vec();
        calls.retain(|(number, ..)| !sys::is_there(*number));
        calls
    });
    if missing.is_empty() {
        return Ok(());
    }
    let calls = missing.iter();
    let calls = calls.map(|(_, name, since)| format!("{name}(2) (since Linux {since})"));
    Err(Error::NoCalls {
        calls: calls.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number that no kernel has given: those of x86-64 end far below, those of x32 begin far above.
    const NEVER: libc::c_long = 0x3fff_0000;

    #[test]
    fn a_call_that_the_kernel_does_not_know_is_told_from_one_it_refuses() {
        assert!(!sys::is_there(NEVER));
        let known = REQUIRED.map(|(number, name, _)| (name, sys::is_there(number)));
        assert!(known.iter().all(|(_, there)| *there), "{known:?}");
        assert!(check().is_ok());
    }
}
