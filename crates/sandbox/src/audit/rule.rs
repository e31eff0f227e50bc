//! The one rule that is ever made: no process that is born while it stands is prepared for the auditing of its system calls.
//!
//! Without it every process born since audit was first switched on pays for that at each system call, for good (`audit_alloc` of
//! `kernel/auditsc.c`); Landlock's records need no such preparation. Its key says whose it is, so the rule is also the mark that audit was
//! switched on here: the kernel keeps it when whoever set it is killed, and `auditctl -l` shows it.

use super::Error;
use super::netlink::{self, Answer};

/// `AUDIT_LIST_RULES`, `AUDIT_ADD_RULE`, `AUDIT_DEL_RULE`.
const LIST: u16 = 1013;
const ADD: u16 = 1011;
const DELETE: u16 = 1012;
/// `AUDIT_FILTER_TASK`: looked at when a process is born.
const AT_BIRTH: u32 = 1;
const NEVER: u32 = 0;
/// `AUDIT_FILTERKEY` and `AUDIT_EQUAL`.
const KEY_FIELD: u32 = 210;
const EQUAL: u32 = 0x4000_0000;
const KEY: &[u8] = b"encamp";
/// `AUDIT_BITMASK_SIZE`, `AUDIT_MAX_FIELDS`.
const LENGTH: usize = 64;

/// The rules of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// There is none.
    None,
    /// Ours is among them.
    Ours,
    /// Somebody else's.
    Others,
}

/// Looks at the rules.
pub(super) fn look() -> Result<Rules, Error> {
    let answers = netlink::ask(LIST, &[], Answer::List)
        .map_err(Error::call("list the rules of kernel audit"))?;
    let mut rules = answers
        .iter()
        .filter(|answer| answer.kind == LIST)
        .peekable();
    if rules.peek().is_none() {
        return Ok(Rules::None);
    }
    let is_ours = rules.any(|rule| key(&rule.body).is_some_and(|key| key.starts_with(KEY)));
    Ok(if is_ours { Rules::Ours } else { Rules::Others })
}

/// The strings of a `struct audit_rule_data`.
fn key(rule: &[u8]) -> Option<&[u8]> {
    rule.get(bytes(&[]).len()..)
}

/// Adds ours; one that is there already is fine.
pub(super) fn add() -> Result<(), Error> {
    change(ADD, libc::EEXIST, "add a rule to kernel audit")
}

/// Takes ours away; gone is fine.
pub(super) fn remove() -> Result<(), Error> {
    change(DELETE, libc::ENOENT, "take our rule from kernel audit")
}

fn change(kind: u16, fine: i32, act: &'static str) -> Result<(), Error> {
    match netlink::ask(kind, &bytes(KEY), Answer::Nothing) {
        Err(error) if error.raw_os_error() == Some(fine) => Ok(()),
        other => other.map_err(Error::call(act)).map(drop),
    }
}

/// `struct audit_rule_data`: list, action, number of fields, mask of calls, then fields, values, operators and strings.
fn bytes(key: &[u8]) -> Vec<u8> {
    let first = |value: u32| {
        let mut words = [0u32; LENGTH];
        words[0] = value;
        words
    };
    let length = key.len() as u32;
    let mut words = vec![AT_BIRTH, NEVER, 1];
    for block in [first(0), first(KEY_FIELD), first(length), first(EQUAL)] {
        words.extend_from_slice(&block);
    }
    words.push(length);
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    bytes.extend_from_slice(key);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_as_long_as_the_kernels_and_its_key_is_found_again() {
        let rule = bytes(KEY);
        assert_eq!(rule.len(), 12 + 4 * 256 + 4 + KEY.len());
        assert_eq!(key(&rule), Some(KEY));
        assert_eq!(key(&rule[..40]), None);
    }
}
