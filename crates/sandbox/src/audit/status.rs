//! Whether audit is on, and switching it.
use std::io;

use super::Error;
use super::netlink::{self, Answer};

/// `AUDIT_GET`, `AUDIT_SET`.
const GET: u16 = 1000;
const SET: u16 = 1001;
/// `AUDIT_STATUS_ENABLED` of the mask.
const ENABLED: u32 = 1;
/// `AUDIT_FAIL_PANIC`.
const PANIC: u32 = 2;
/// As many words as `struct audit_status` has had since 5.x; older and newer kernels take and give fewer or more.
const WORDS: usize = 11;

/// What `AUDIT_GET` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    /// 0: off, 1: on, 2: on and locked until the next boot.
    pub enabled: u32,
    /// What the kernel does when it loses a record: 0 nothing, 1 says so, 2 stops the machine.
    pub failure: u32,
    /// The audit daemon; 0: there is none.
    pub pid: u32,
    /// Records lost since the boot.
    pub lost: u32,
}

impl Status {
    /// Whether records are made.
    pub fn is_on(self) -> bool {
        self.enabled != 0
    }

    /// Whether a lost record stops the machine.
    pub(super) fn panics(self) -> bool {
        self.failure == PANIC
    }
}

/// `AUDIT_GET`. Needs CAP_AUDIT_CONTROL and the first pid namespace.
///
/// # Errors
/// A kernel without audit, or without the right to ask.
pub fn status() -> Result<Status, Error> {
    let answers = netlink::ask(GET, &[], Answer::One)
        .map_err(Error::call("ask for the state of kernel audit"))?;
    let answer = answers.iter().find(|answer| answer.kind == GET);
    let body = answer.map_or(&[][..], |answer| &answer.body);
    read(body).ok_or_else(|| {
        let source = io::ErrorKind::InvalidData.into();
        Error::call("read the state of kernel audit")(source)
    })
}

/// `struct audit_status`: mask, enabled, failure, pid, rate_limit, backlog_limit, lost, …
fn read(body: &[u8]) -> Option<Status> {
    let word = |at: usize| {
        let bytes = body.get(at * 4..at * 4 + 4)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    };
    Some(Status {
        enabled: word(1)?,
        failure: word(2)?,
        pid: word(3)?,
        lost: word(6)?,
    })
}

/// `AUDIT_SET` of `enabled` alone.
pub(super) fn enable(value: u32) -> Result<(), Error> {
    let mut words = [0u32; WORDS];
    words[0] = ENABLED;
    words[1] = value;
    let body: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let act = Error::call("switch kernel audit");
    netlink::ask(SET, &body, Answer::Nothing)
        .map_err(act)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_and_a_short_one_is_none() {
        let words: Vec<u8> = (0u32..11).flat_map(u32::to_ne_bytes).collect();
        let status = Status {
            enabled: 1,
            failure: 2,
            pid: 3,
            lost: 6,
        };
        assert_eq!(read(&words), Some(status));
        assert!(status.is_on() && status.panics());
        assert_eq!(read(&words[..27]), None);
    }
}
