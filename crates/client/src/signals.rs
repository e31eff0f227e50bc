//! SIGINT, SIGTERM and SIGHUP as messages.
use std::sync::mpsc::Sender;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::error::{Attempt, HostError};

/// Listening ends when this is dropped; the signals then have no effect at all.
#[derive(Debug)]
pub(crate) struct Listening(Handle);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Sends every SIGINT, SIGTERM and SIGHUP from now on. A SIGHUP that the caller ignores (nohup(1)) stays ignored.
pub(crate) fn listen<M: Send + 'static>(
    to: Sender<M>,
    as_message: fn(i32) -> M,
) -> Result<Listening, HostError> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut wanted = vec![SIGINT, SIGTERM];
    if !ignores(&status, SIGHUP) {
        wanted.push(SIGHUP);
    }
    let mut signals = Signals::new(wanted).attempt(|| "listen for signals".to_owned())?;
    let handle = signals.handle();
    let forward = move || {
        signals
            .forever()
            .map(as_message)
            .all(|message| to.send(message).is_ok())
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(forward)
        .attempt(|| "start a thread".to_owned())?;
    Ok(Listening(handle))
}

/// Reads `SigIgn` of proc_pid_status(5).
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 << (signal - 1) != 0)
}

/// Whether Nomad takes this as a task's `kill_signal`: its table, in any case, with or without `SIG`, or a number.
pub(crate) fn is_known(name: &str) -> bool {
    const KNOWN: [&str; 27] = [
        "ABRT", "ALRM", "BUS", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE",
        "PROF", "QUIT", "SEGV", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "USR1",
        "USR2", "WINCH", "XCPU", "XFSZ",
    ];
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    KNOWN.contains(&bare)
        || bare
            .parse::<u8>()
            .is_ok_and(|number| (1..=64).contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_hangup_is_seen() {
        let status = "Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n";
        assert!(ignores(status, SIGHUP));
        assert!(!ignores(status, SIGINT));
    }

    #[test]
    fn signals_are_known_by_name_and_number() {
        for name in ["SIGINT", "sigterm", "usr1", "9", "SIGWINCH"] {
            assert!(is_known(name), "{name}");
        }
        for name in ["", "SIG", "SIGFOO", "0", "65", "-9"] {
            assert!(!is_known(name), "{name}");
        }
    }
}
