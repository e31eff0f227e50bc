//! The Landlock ruleset, built before the clone; only what does not exist yet is added inside.
use std::io;
use std::os::fd::OwnedFd;

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreatedAttr, Scope,
};
use rustix::fs::FileType;

use crate::spec::{Access, Landlock, Missing, Rule};
use crate::view::{Links, host};
use crate::{Error, sys};

/// The kernel's Landlock ABI; `None`: there is none, or it is switched off.
pub fn abi() -> Option<u32> {
    sys::landlock_abi().ok().filter(|abi| *abi > 0)
}

/// What later ABIs restrict and this kernel does not, in words.
const LATER: [(u32, &str); 5] = [
    (
        2,
        "renaming and linking across directories is refused everywhere",
    ),
    (3, "truncating files outside is not restricted"),
    (5, "ioctl on devices is not restricted"),
    (6, "signals and abstract sockets are not scoped"),
    (9, "connecting to sockets by path is not restricted"),
];

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

/// Builds the ruleset from all rules that lie on the host.
pub(crate) fn ruleset(spec: &Landlock, refusals: &mut Vec<String>) -> Result<OwnedFd, Error> {
    let number = abi().ok_or(Error::NoLandlock)?;
    let abi = known(number);
    for (since, what) in LATER.iter().filter(|(since, _)| *since > number) {
        refusals.push(format!("Landlock ABI {number} (not {since}): {what}"));
    }
    let failed = |e: landlock::RulesetError| Error::Ruleset {
        source: io::Error::other(e),
    };
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))
        .map_err(failed)?;
    if let Some(scopes) = scopes(abi).filter(|_| spec.scoped) {
        ruleset = ruleset.scope(scopes).map_err(failed)?;
    }
    let mut ruleset = ruleset.create().map_err(failed)?;
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
    fd.ok_or(Error::NoLandlock)
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
    if access.contains(Access::READ_FILES_ONLY) {
        rights |= AccessFs::ReadFile;
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
        assert_eq!(at(Access::READ_FILES_ONLY, true), AccessFs::ReadFile);
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
