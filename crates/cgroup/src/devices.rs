//! Which device nodes may be opened and made: `devices.allow` on v1, a program attached to the cgroup on v2.
//!
//! What is checked is the opening and the making of a node (`security/device_cgroup.c`, `Documentation/admin-guide/cgroup-v1/devices.rst`);
//! descriptors that are open already are not looked at again.
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Controller, Error, Paths, Refusal, bpf, file};

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the two kinds of mknod(2)")]
pub enum DeviceKind {
    Block,
    Char,
}

bitflags::bitflags! {
    /// What may be done with a node. The bits are the kernel's (`BPF_DEVCG_ACC_*`, linux/bpf.h).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(transparent)]
    pub struct DeviceAccess: u8 {
        /// `m`
        const MKNOD = 1;
        /// `r`
        const READ = 2;
        /// `w`
        const WRITE = 4;
    }
}

impl DeviceAccess {
    const LETTERS: [(char, DeviceAccess); 3] = [
        ('r', DeviceAccess::READ),
        ('w', DeviceAccess::WRITE),
        ('m', DeviceAccess::MKNOD),
    ];

    /// From letters of `rwm`; the first that is none of them otherwise.
    pub fn from_letters(letters: &str) -> Result<DeviceAccess, char> {
        let one = |letter| {
            let known = Self::LETTERS.iter().find(|(known, _)| *known == letter);
            known.map(|(_, access)| *access).ok_or(letter)
        };
        letters
            .chars()
            .try_fold(DeviceAccess::empty(), |all, letter| Ok(all | one(letter)?))
    }
}

impl fmt::Display for DeviceAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = Self::LETTERS
            .iter()
            .filter(|(_, access)| self.contains(*access));
        f.write_str(&letters.map(|(letter, _)| letter).collect::<String>())
    }
}

/// Something that is allowed; without a number, of every number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields of devices.allow")]
pub struct DeviceRule {
    pub kind: DeviceKind,
    pub major: Option<u32>,
    pub minor: Option<u32>,
    pub access: DeviceAccess,
}

impl DeviceRule {
    fn same_nodes(&self, other: &DeviceRule) -> bool {
        (self.kind, self.major, self.minor) == (other.kind, other.major, other.minor)
    }
}

/// As `devices.allow` reads it.
impl fmt::Display for DeviceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            DeviceKind::Block => 'b',
            DeviceKind::Char => 'c',
        };
        let number = |number: Option<u32>| number.map_or("*".to_owned(), |n| n.to_string());
        let (major, minor) = (number(self.major), number(self.minor));
        write!(f, "{kind} {major}:{minor} {}", self.access)
    }
}

/// One rule for each node: an opening for reading and writing asks for both at once, and one rule must grant them.
fn joined(rules: &[DeviceRule]) -> Vec<DeviceRule> {
    let mut joined: Vec<DeviceRule> = Vec::new();
    for rule in rules.iter().filter(|rule| !rule.access.is_empty()) {
        match joined.iter_mut().find(|known| known.same_nodes(rule)) {
            Some(known) => known.access |= rule.access,
            None => joined.push(*rule),
        }
    }
    joined
}

/// Allows these and nothing else.
pub(crate) fn apply(paths: &Paths, rules: &[DeviceRule]) -> Result<Vec<Refusal>, Error> {
    let rules = joined(rules);
    match (paths.v1.get(&Controller::Devices), &paths.unified) {
        (Some(dir), _) => v1(dir, &rules),
        // A bare v2 hierarchy beside v1 ones runs programs, too.
        (None, Some(dir)) => bpf::allow(dir, &rules).map(|()| Vec::new()),
        (None, None) => Err(Error::unusable(
            &paths.first(),
            "devices cannot be restricted: there is neither the v1 devices controller nor a cgroup2 mount",
        )),
    }
}

/// What the cgroup above does not have cannot be allowed: that is stricter, not weaker, and is told.
fn v1(dir: &Path, rules: &[DeviceRule]) -> Result<Vec<Refusal>, Error> {
    file::write(&dir.join("devices.deny"), "a")?;
    let mut refusals = Vec::new();
    for rule in rules {
        if let Err(error) = file::try_write(&dir.join("devices.allow"), &rule.to_string()) {
            refusals.push(Refusal {
                file: "devices.allow".to_owned(),
                reason: format!("{rule} was not taken: {error}"),
            });
        }
    }
    Ok(refusals)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]
pub(crate) mod tests {
    use super::*;

    /// A rule from its text, `*` for any number.
    pub(crate) fn rule(text: &str) -> DeviceRule {
        let (kind, rest) = text.split_once(' ').unwrap();
        let (numbers, letters) = rest.split_once(' ').unwrap();
        let (major, minor) = numbers.split_once(':').unwrap();
        DeviceRule {
            kind: if kind == "b" {
                DeviceKind::Block
            } else {
                DeviceKind::Char
            },
            major: major.parse().ok(),
            minor: minor.parse().ok(),
            access: DeviceAccess::from_letters(letters).unwrap(),
        }
    }

    #[test]
    fn rules_are_printed_as_v1_reads_them() {
        for text in ["c 1:3 rwm", "c 136:* rw", "b *:* m", "b 8:0 r"] {
            assert_eq!(rule(text).to_string(), text);
        }
        assert_eq!(rule("c 1:3 mwr").to_string(), "c 1:3 rwm");
    }

    #[test]
    fn a_letter_that_is_none_is_named() {
        assert_eq!(DeviceAccess::from_letters("rx"), Err('x'));
        assert_eq!(DeviceAccess::from_letters(""), Ok(DeviceAccess::empty()));
    }

    #[test]
    fn what_is_allowed_of_one_node_is_one_rule() {
        let rules = ["c 1:3 r", "b 1:3 r", "c 1:3 w", "c 1:5 r"].map(rule);
        let texts: Vec<_> = joined(&rules).iter().map(DeviceRule::to_string).collect();
        assert_eq!(texts, ["c 1:3 rw", "b 1:3 r", "c 1:5 r"]);
        let nothing = DeviceRule {
            access: DeviceAccess::empty(),
            ..rules[0]
        };
        assert_eq!(joined(&[nothing]), []);
    }

    #[test]
    fn v1_denies_all_before_it_allows() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["devices.deny", "devices.allow"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let paths = Paths {
            v1: [(Controller::Devices, dir.path().to_owned())].into(),
            ..Paths::default()
        };
        let rules = ["c 1:3 rwm", "c 10:200 rw"].map(rule);
        assert_eq!(apply(&paths, &rules).unwrap(), []);
        let text = |name| std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(text("devices.deny"), "a");
        assert_eq!(text("devices.allow"), "c 10:200 rw");
    }

    #[test]
    fn without_a_way_to_restrict_devices_there_is_an_error() {
        let paths = Paths {
            v1: [(Controller::Memory, "/m/x".into())].into(),
            ..Paths::default()
        };
        let error = apply(&paths, &[]).unwrap_err().to_string();
        assert!(
            error.contains("neither the v1 devices controller"),
            "{error}"
        );
    }
}
