//! What a test needs of the machine. Without it the test is skipped, loudly; `ENCAMP_TEST_REQUIRE` turns skipping into failing.
use std::io::Write;
use std::process::Command;

use landlock::{ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};

/// Something that not every machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Effective uid 0.
    Root,
    /// Cgroups that this process may make: v2, v1 or hybrid.
    Cgroup,
    /// The Landlock LSM, ABI 1 or later.
    Landlock,
    /// A Go toolchain.
    Go,
    /// A C compiler, as `cc`.
    Cc,
}

/// Every need, for `ENCAMP_TEST_REQUIRE=all`.
const NAMES: &[(Need, &str)] = &[
    (Need::Root, "root"),
    (Need::Cgroup, "cgroup"),
    (Need::Landlock, "landlock"),
    (Need::Go, "go"),
    (Need::Cc, "cc"),
];

/// Names of needs, separated by commas, that must be met; `all` for every one.
pub const REQUIRE: &str = "ENCAMP_TEST_REQUIRE";

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
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(
        !is_required(*need, &std::env::var(REQUIRE).unwrap_or_default()),
        "{test}: {reason}, and {REQUIRE} asks for it"
    );
    // The harness shows what passing tests print only on request; a skipped test must be seen without.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {reason}");
    false
}

fn is_required(need: Need, required: &str) -> bool {
    let name = NAMES
        .iter()
        .find_map(|(known, name)| (*known == need).then_some(*name))
        .unwrap_or_default();
    required
        .split(',')
        .map(str::trim)
        .any(|word| word == "all" || word == name)
}

impl Need {
    /// Why it is not met; `None` when it is.
    #[must_use]
    pub fn missing(self) -> Option<String> {
        match self {
            Need::Root => (!rustix::process::geteuid().is_root()).then(|| "not root".to_owned()),
            Need::Cgroup => cgroup_missing(),
            Need::Landlock => landlock_missing(),
            Need::Go => program_missing("go", "version"),
            Need::Cc => program_missing("cc", "--version"),
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
        .find(|base| std::path::Path::new(base).join("cgroup.procs").exists());
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
fn landlock_missing() -> Option<String> {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let made = ruleset
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(Ruleset::create);
    made.err().map(|error| format!("no Landlock: {error}"))
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
