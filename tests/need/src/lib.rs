//! What a test needs of the machine. Without it the test is skipped, loudly; `ENCAMP_TEST_REQUIRE` turns skipping into failing.
#![forbid(unsafe_code)]

use std::io::Write;
use std::path::Path;
use std::process::Command;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, Scope,
};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

/// Something that not every machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Effective uid 0.
    Root,
    /// Cgroups that this process may make: v2, v1 or hybrid.
    Cgroup,
    /// The Landlock LSM, ABI 1 or later.
    Landlock,
    /// Landlock's right to rename and link across directories: ABI 2.
    LandlockRefer,
    /// Landlock's right to truncate: ABI 3.
    LandlockTruncate,
    /// Landlock's right to ioctl(2) on devices: ABI 5.
    LandlockIoctl,
    /// Landlock's scopes, of signals and abstract sockets: ABI 6.
    LandlockScopes,
    /// Mounts that are made detached: open_tree(2).
    DetachedMounts,
    /// A Go toolchain.
    Go,
    /// A C compiler, as `cc`.
    Cc,
    /// A root on a ramdisk, from where pivot_root(2) fails. No machine of common use has it, so `all` does not ask for it.
    Ramdisk,
    /// systemd as PID 1; `all` does not ask for it.
    Systemd,
}

/// The needs that a machine with everything meets, for `ENCAMP_TEST_REQUIRE=all`. What only a machine of another kind has is held by
/// the lists of `tests/kernels`: a test that runs nowhere fails there.
const NAMES: &[(Need, &str)] = &[
    (Need::Root, "root"),
    (Need::Cgroup, "cgroup"),
    (Need::Landlock, "landlock"),
    (Need::LandlockRefer, "landlock-refer"),
    (Need::LandlockTruncate, "landlock-truncate"),
    (Need::LandlockIoctl, "landlock-ioctl"),
    (Need::LandlockScopes, "landlock-scopes"),
    (Need::DetachedMounts, "detached-mounts"),
    (Need::Go, "go"),
    (Need::Cc, "cc"),
];

/// Names of needs, separated by commas, that must be met; `all` for every one.
pub const REQUIRE: &str = "ENCAMP_TEST_REQUIRE";

/// A directory of programs that were built elsewhere, for machines without cargo and a C compiler: `encamp`, `probe`, and each C
/// program of the suites by the name of its source.
pub const PROGRAMS: &str = "ENCAMP_TEST_PROGRAMS";

/// Whether the calling test can run here: `if !require(&[Need::Root]) { return; }`.
///
/// A need that is not met skips the test with a line on standard error, past the capture of the test harness.
///
/// # Panics
/// When the need is not met and `ENCAMP_TEST_REQUIRE` asks for it.
#[must_use]
pub fn require(needs: &[Need]) -> bool {
    let Some((need, reason)) = needs.iter().find_map(|need| Some((need, need.missing()?))) else {
        return true;
    };
    let word = if need.is_of_this_kind_of_machine() {
        "SKIPPED"
    } else {
        "ELSEWHERE"
    };
    skip(&reason, word, |required| is_required(*need, required))
}

/// Says that the calling test is about machines of another kind than this one; `all` does not ask for it. What is held by the lists of
/// `tests/kernels` runs somewhere; the rest says it each time.
pub fn elsewhere(reason: &str) {
    let _ = skip(reason, "ELSEWHERE", |_| false);
}

/// Says that the calling test is skipped for a reason of its own, by a name that `ENCAMP_TEST_REQUIRE` can have; `all` asks for it.
///
/// # Panics
/// As [`require`].
pub fn unmet(name: &str, reason: &str) {
    let asked = |required: &str| words(required).any(|word| word == "all" || word == name);
    let _ = skip(reason, "SKIPPED", asked);
}

fn words(required: &str) -> impl Iterator<Item = &str> {
    required.split(',').map(str::trim)
}

fn skip(reason: &str, word: &str, is_asked_for: impl Fn(&str) -> bool) -> bool {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(
        !is_asked_for(&std::env::var(REQUIRE).unwrap_or_default()),
        "{test}: {reason}, and {REQUIRE} asks for it"
    );
    // The harness shows what passing tests print only on request; a skipped test must be seen without. In one write: tests run beside
    // each other.
    let _ = std::io::stderr().write_all(format!("{word} {test}: {reason}\n").as_bytes());
    false
}

/// Whether the calling test can have these programs: paths, or names in `/usr/bin`, where every task sees them too. As [`require`] otherwise; `all` asks
/// for them.
///
/// # Panics
/// As [`require`].
#[must_use]
pub fn programs(names: &[String]) -> bool {
    // A path stays what it is.
    let place = |name: &String| Path::new("/usr/bin").join(name);
    let is_missing = |name: &&String| !place(name).exists();
    let all = |required: &str| words(required).any(|word| word == "all");
    let missing = names.iter().find(is_missing).map(place);
    missing.is_none_or(|place| skip(&format!("no {}", place.display()), "SKIPPED", all))
}

fn is_required(need: Need, required: &str) -> bool {
    let name = NAMES
        .iter()
        .find_map(|(known, name)| (*known == need).then_some(*name));
    name.is_some_and(|name| words(required).any(|word| word == "all" || word == name))
}

impl Need {
    fn is_of_this_kind_of_machine(self) -> bool {
        NAMES.iter().any(|(known, _)| *known == self)
    }

    /// Why it is not met; `None` when it is.
    #[must_use]
    pub fn missing(self) -> Option<String> {
        match self {
            Need::Root => (!rustix::process::geteuid().is_root()).then(|| "not root".to_owned()),
            Need::Cgroup => cgroup_missing(),
            Need::Landlock => landlock_missing(Ruleset::default(), AccessFs::from_all(ABI::V1)),
            Need::LandlockRefer => landlock_missing(Ruleset::default(), AccessFs::Refer.into()),
            Need::LandlockTruncate => {
                landlock_missing(Ruleset::default(), AccessFs::Truncate.into())
            }
            Need::LandlockIoctl => landlock_missing(Ruleset::default(), AccessFs::IoctlDev.into()),
            Need::LandlockScopes => scopes_missing(),
            Need::DetachedMounts => detached_mounts_missing(),
            Need::Go => program_missing("go", "version"),
            // Where programs come compiled nobody needs a compiler.
            Need::Cc if std::env::var_os(PROGRAMS).is_some() => None,
            Need::Cc => program_missing("cc", "--version"),
            Need::Ramdisk => ramdisk_missing(),
            Need::Systemd => systemd_missing(),
        }
    }
}

/// Tried by making one, as whoever runs the test.
fn cgroup_missing() -> Option<String> {
    let bases = [
        "/sys/fs/cgroup/unified",
        "/sys/fs/cgroup/memory",
        "/sys/fs/cgroup",
    ];
    let base = bases
        .iter()
        .find(|base| Path::new(base).join("cgroup.procs").exists());
    let Some(base) = base else {
        return Some("no cgroup hierarchy is mounted at /sys/fs/cgroup".to_owned());
    };
    let own = format!(
        "{base}/encamp-suite-need-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    );
    let made = std::fs::create_dir(&own);
    let _ = std::fs::remove_dir(&own);
    made.err()
        .map(|error| format!("no cgroup can be made in {base}: {error}"))
}

/// Tried by making a ruleset that is not enforced.
fn landlock_missing(ruleset: Ruleset, access: BitFlags<AccessFs>) -> Option<String> {
    let ruleset = ruleset.set_compatibility(CompatLevel::HardRequirement);
    let made = ruleset.handle_access(access).and_then(Ruleset::create);
    made.err()
        .map(|error| format!("no Landlock, or not all of it: {error}"))
}

fn scopes_missing() -> Option<String> {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let made = ruleset.scope(Scope::from_all(ABI::V6));
    made.err()
        .map(|error| format!("no Landlock scopes: {error}"))
}

/// Tried with a path that leads nowhere: a call that is there complains of that.
fn detached_mounts_missing() -> Option<String> {
    let tree = open_tree(rustix::fs::CWD, "", OpenTreeFlags::empty());
    (tree.err() == Some(Errno::NOSYS)).then(|| "no open_tree(2)".to_owned())
}

/// By the file system of `/`: pivot_root(2) fails on the first one the kernel mounted.
fn ramdisk_missing() -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let of_root = |line: &&str| line.split(' ').nth(4) == Some("/");
    let is_ramdisk = mounts
        .lines()
        .rfind(of_root)
        .is_some_and(|line| line.contains(" - rootfs "));
    (!is_ramdisk).then(|| "the root is not on a ramdisk".to_owned())
}

/// As sd_booted(3) does.
fn systemd_missing() -> Option<String> {
    let booted = Path::new("/run/systemd/system").is_dir();
    (!booted).then(|| "systemd is not PID 1".to_owned())
}

fn program_missing(program: &str, argument: &str) -> Option<String> {
    let ran = Command::new(program).arg(argument).output();
    ran.err().map(|error| format!("no {program}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::{Need, is_required};

    #[test]
    fn all_requires_everything_and_a_list_what_it_names() {
        assert!(is_required(Need::Go, "all"));
        assert!(is_required(Need::Go, "root, go"));
        assert!(!is_required(Need::Go, "root,landlock"));
        assert!(!is_required(Need::Go, ""));
    }
}
