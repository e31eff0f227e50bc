//! The record of what a Landlock domain restricts on the kernel it was made on, feature by feature.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::spec::Landlock;

/// Name, the ABI that brought it, and what it is to be without it.
const FEATURES: [(&str, u32, &str); 7] = [
    ("fs", 1, "nothing is restricted"),
    (
        "refer",
        2,
        "renaming and linking across directories is refused everywhere",
    ),
    ("truncate", 3, "truncating files outside is not restricted"),
    ("tcp", NETWORK_SINCE, "ports are not restricted"),
    ("ioctl_dev", 5, "ioctl on devices is not restricted"),
    (
        "scope",
        SCOPES_SINCE,
        "signals and abstract sockets are not scoped",
    ),
    (
        "resolve_unix",
        9,
        "connecting to sockets by path is not restricted",
    ),
];

/// The ABI with TCP ports.
pub(crate) const NETWORK_SINCE: u32 = 4;
const SCOPES_SINCE: u32 = 6;

/// What a domain restricts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforcement {
    /// The kernel's ABI.
    pub abi: u32,
    /// Every feature that is known here, in the order of the ABIs.
    pub features: Vec<Feature>,
}

/// One feature of Landlock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    /// `fs`, `refer`, `truncate`, `tcp`, `ioctl_dev`, `scope`, `resolve_unix`.
    pub name: String,
    /// The ABI that brought it.
    pub since: u32,
    /// Whether it restricts.
    pub enforced: Enforced,
}

/// Whether a feature restricts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforced {
    /// It does.
    Enforced,
    /// It could, and nobody wants it to.
    NotAskedFor,
    /// This kernel does not know it.
    NotKnown,
}

impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Enforced::Enforced => "enforced",
            Enforced::NotAskedFor => "not asked for",
            Enforced::NotKnown => "not known to this kernel",
        })
    }
}

impl Feature {
    /// What it is to be without it; empty for a name that is not ours.
    pub fn without(&self) -> &'static str {
        let found = FEATURES.iter().find(|(name, ..)| *name == self.name);
        found.map_or("", |(.., without)| without)
    }
}

impl Enforcement {
    /// Of a ruleset on a kernel of this ABI.
    pub(crate) fn of(landlock: &Landlock, abi: u32) -> Enforcement {
        let wanted = |name: &str| match name {
            "tcp" => landlock.network.is_some(),
            "scope" => landlock.scoped,
            _ => true,
        };
        let feature = |(name, since, _): &(&str, u32, &str)| Feature {
            name: (*name).to_owned(),
            since: *since,
            enforced: match (*since <= abi, wanted(name)) {
                (false, _) => Enforced::NotKnown,
                (true, false) => Enforced::NotAskedFor,
                (true, true) => Enforced::Enforced,
            },
        };
        Enforcement {
            abi,
            features: FEATURES.iter().map(feature).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Ports;

    fn told(abi: u32, scoped: bool, network: Option<Ports>) -> String {
        let landlock = Landlock {
            rules: vec![],
            scoped,
            network,
            logged: false,
        };
        let tell = |feature: &Feature| format!("{}={}", feature.name, feature.enforced);
        let record = Enforcement::of(&landlock, abi);
        let told: Vec<_> = record.features.iter().map(tell).collect();
        told.join(", ")
    }

    #[test]
    fn what_is_newer_than_the_kernel_is_not_known_to_it() {
        let unknown = |abi| {
            told(abi, true, None)
                .matches("not known to this kernel")
                .count()
        };
        assert_eq!(
            [1, 2, 3, 4, 5, 6, 7, 9].map(unknown),
            [6, 5, 4, 3, 2, 1, 1, 0]
        );
    }

    #[test]
    fn what_nobody_asked_for_is_told_apart_from_what_is_enforced() {
        let network = Ports {
            bind: None,
            connect: Some(vec![]),
        };
        let enforced = told(9, true, Some(network));
        assert!(!enforced.contains("not "), "{enforced}");
        let plain = told(9, false, None);
        assert!(plain.contains("tcp=not asked for") && plain.contains("scope=not asked for"));
    }

    #[test]
    fn every_feature_says_what_it_is_to_be_without_it() {
        let landlock = Landlock {
            rules: vec![],
            scoped: true,
            network: None,
            logged: false,
        };
        let record = Enforcement::of(&landlock, 1);
        assert!(record.features.iter().all(|one| !one.without().is_empty()));
    }
}
