//! The Landlock ruleset, built before the clone; only what does not exist yet is added inside.
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};
use rustix::fs::FileType;

use crate::enforcement::{Enforcement, NETWORK_SINCE};
use crate::spec::{Access, Landlock, Missing, Ports, Rule};
use crate::view::{Links, host};
use crate::{Error, sys};

/// The ABI with records of what is denied, and with flags that say whose.
pub(crate) const LOGGED_SINCE: u32 = 7;

/// The kernel's Landlock ABI; `None`: there is none, or it is switched off.
pub fn abi() -> Option<u32> {
    sys::landlock_abi().ok().filter(|abi| *abi > 0)
}

fn known(abi: u32) -> ABI {
    match abi {
        0 | 1 => ABI::V1,
        2 => ABI::V2,
        3 => ABI::V3,
        4 => ABI::V4,
        5 => ABI::V5,
        6 => ABI::V6,
        7 => ABI::V7,
        8 => ABI::V8,
        _ => ABI::V9,
    }
}

/// Builds the ruleset from all rules that lie on the host, and says what it restricts.
pub(crate) fn ruleset(spec: &Landlock) -> Result<(OwnedFd, Enforcement), Error> {
    let number = abi().ok_or(Error::NoLandlock)?;
    let abi = known(number);
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))
        .map_err(failed)?;
    if let Some(scopes) = scopes(abi).filter(|_| spec.scoped) {
        ruleset = ruleset.scope(scopes).map_err(failed)?;
    }
    let ports = network(spec, number)?;
    if !ports.is_empty() {
        let handled = ports
            .iter()
            .fold(BitFlags::empty(), |all, (one, _)| all | *one);
        ruleset = ruleset.handle_access(handled).map_err(failed)?;
    }
    let mut ruleset = ruleset.create().map_err(failed)?;
    for (access, ranges) in ports {
        ruleset = add_ports(ruleset, access, ranges)?;
    }
    let view = host(Links::OfRoot)?;
    for rule in spec.rules.iter().filter(|rule| !rule.inside) {
        let found = match view.resolve(&rule.path) {
            Ok(found) => found,
            Err(_) if rule.missing == Missing::Skip => continue,
            Err(error) => return Err(Error::path("open for a Landlock rule", &rule.path, error)),
        };
        let access = rights(rule.access, found.is(FileType::Directory), abi);
        if !access.is_empty() {
            ruleset = ruleset
                .add_rule(PathBeneath::new(found.fd, access))
                .map_err(failed)?;
        }
    }
    let fd: Option<OwnedFd> = ruleset.into();
    let enforcement = Enforcement::of(spec, number);
    Ok((fd.ok_or(Error::NoLandlock)?, enforcement))
}

/// The flags of landlock_restrict_self(2): which denials are recorded. They change nothing about what is denied.
pub(crate) fn flags(spec: &Landlock) -> u32 {
    // LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON, _LOG_SUBDOMAINS_OFF (linux/landlock.h): after an exec too, but what a process inside denies itself is
    // its own matter.
    const NEW_EXEC_ON: u32 = 1 << 1;
    const SUBDOMAINS_OFF: u32 = 1 << 2;
    match abi() {
        Some(LOGGED_SINCE..) if spec.logged => NEW_EXEC_ON | SUBDOMAINS_OFF,
        _ => 0,
    }
}

fn failed(error: RulesetError) -> Error {
    Error::Ruleset {
        source: io::Error::other(error),
    }
}

type Limited<'a> = (AccessNet, &'a [RangeInclusive<u16>]);

/// What is limited, with the ports that may be used. A kernel that cannot limit it is refused.
fn network(spec: &Landlock, abi: u32) -> Result<Vec<Limited<'_>>, Error> {
    let Some(Ports { bind, connect }) = &spec.network else {
        return Ok(vec![]);
    };
    if abi < NETWORK_SINCE {
        return Err(Error::Landlock {
            what: "limiting TCP ports",
            since: NETWORK_SINCE,
            abi,
        });
    }
    let limited = [(AccessNet::BindTcp, bind), (AccessNet::ConnectTcp, connect)];
    let limited = limited
        .into_iter()
        .filter_map(|(access, ranges)| Some((access, ranges.as_deref()?)));
    Ok(limited.collect())
}

/// The kernel knows single ports only.
fn add_ports(
    mut ruleset: RulesetCreated,
    access: AccessNet,
    ranges: &[RangeInclusive<u16>],
) -> Result<RulesetCreated, Error> {
    for port in ranges.iter().cloned().flatten() {
        let rule = NetPort::new(port, access);
        ruleset = ruleset.add_rule(rule).map_err(failed)?;
    }
    Ok(ruleset)
}

/// The rights of a rule that can only be added inside, as bits: for a directory and for a file.
pub(crate) fn inside(rule: &Rule) -> [u64; 2] {
    let abi = known(abi().unwrap_or(1));
    [true, false].map(|directory| rights(rule.access, directory, abi).bits())
}

/// What can be scoped; nothing before ABI 6, and the library takes no empty set.
fn scopes(abi: ABI) -> Option<BitFlags<Scope>> {
    Some(Scope::from_all(abi)).filter(|scopes| !scopes.is_empty())
}

/// Landlock rights of our letters.
fn rights(access: Access, directory: bool, abi: ABI) -> BitFlags<AccessFs> {
    let mut rights = BitFlags::empty();
    if access.contains(Access::READ) {
        rights |= AccessFs::ReadFile | AccessFs::ReadDir;
    }
    if access.contains(Access::WRITE) {
        rights |= AccessFs::WriteFile | AccessFs::Truncate | AccessFs::ResolveUnix;
    }
    if access.contains(Access::EXECUTE) {
        rights |= AccessFs::Execute;
    }
    if access.contains(Access::IOCTL) {
        rights |= AccessFs::IoctlDev;
    }
    if access.contains(Access::CREATE) {
        // Device nodes can never be made: a block device is the whole disk.
        rights |= AccessFs::MakeReg
            | AccessFs::MakeDir
            | AccessFs::MakeSym
            | AccessFs::MakeSock
            | AccessFs::MakeFifo;
        rights |= AccessFs::RemoveFile | AccessFs::RemoveDir | AccessFs::Refer;
    }
    let possible = if directory {
        AccessFs::from_all(abi)
    } else {
        AccessFs::from_file(abi)
    };
    rights & possible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn create_means_nothing_on_a_file_and_never_makes_devices() {
        assert!(rights(Access::CREATE, false, ABI::V7).is_empty());
        let create = rights(Access::all(), true, ABI::V7);
        assert!(!create.contains(AccessFs::MakeBlock) && !create.contains(AccessFs::MakeChar));
    }

    #[test]
    fn ports_are_limited_since_abi_4_and_before_that_refused() {
        let limited = |bind, connect| Landlock {
            rules: vec![],
            scoped: true,
            network: Some(Ports { bind, connect }),
            logged: false,
        };
        let (both, one) = (
            limited(Some(vec![]), Some(vec![])),
            limited(None, Some(vec![])),
        );
        assert_eq!(network(&both, 4).map(|ports| ports.len()).ok(), Some(2));
        assert_eq!(network(&one, 4).map(|ports| ports.len()).ok(), Some(1));
        let told = network(&one, 3)
            .map(|_| ())
            .map_err(|error| error.to_string());
        assert_eq!(
            told,
            Err("limiting TCP ports needs Landlock ABI 4, this kernel has 3: ask for less, or use a newer kernel".to_owned())
        );
    }

    #[test]
    fn before_abi_6_nothing_is_scoped() {
        assert_eq!(scopes(ABI::V5), None);
        assert!(scopes(ABI::V6).is_some_and(|scopes| scopes.contains(Scope::Signal)));
    }

    #[test]
    fn rights_are_those_of_the_abi() {
        assert!(!rights(Access::WRITE, true, ABI::V2).contains(AccessFs::Truncate));
        assert!(rights(Access::WRITE, true, ABI::V3).contains(AccessFs::Truncate));
        assert!(!rights(Access::CREATE, true, ABI::V1).contains(AccessFs::Refer));
    }

    #[test]
    fn letters_are_rights_of_directories_and_of_files() {
        let at = |access, directory| rights(access, directory, ABI::V7);
        assert_eq!(
            at(Access::READ, true),
            AccessFs::ReadFile | AccessFs::ReadDir
        );
        assert_eq!(at(Access::READ, false), AccessFs::ReadFile);
        assert_eq!(at(Access::EXECUTE, false), AccessFs::Execute);
        assert_eq!(
            at(Access::WRITE, false),
            AccessFs::WriteFile | AccessFs::Truncate
        );
        assert_eq!(at(Access::IOCTL, false), AccessFs::IoctlDev);
        assert!(rights(Access::IOCTL, false, ABI::V4).is_empty());
        assert!(at(Access::CREATE, true).contains(AccessFs::Refer));
        assert!(at(Access::empty(), true).is_empty());
    }
}
