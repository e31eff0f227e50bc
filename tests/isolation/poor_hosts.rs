//! Hosts that lack something a task needs: one error that names it, the documented exit code, and nothing made.
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use suite::need::require;
use suite::{HostState, Outcome, Running, World};

use crate::NEEDS;

/// landlock_create_ruleset, landlock_add_rule, landlock_restrict_self (the numbers are those of every architecture).
const LANDLOCK: [&str; 3] = ["444", "445", "446"];

/// No node can take the job.
const MISSING_DRIVERS: i32 = 2;
/// Nomad's words for it, as its documentation of `exec` has them.
const CONSTRAINT: &str = "* Constraint \"missing drivers\" filtered 1 nodes";

/// The program that hides system calls, built once.
fn hide() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let source = concat!(env!("CARGO_MANIFEST_DIR"), "/isolation/hide.c");
            let built = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("hide");
            let status = Command::new("cc")
                .args(["-O1", "-Wall", "-Werror", "-o"])
                .arg(&built)
                .arg(source)
                .status()
                .unwrap();
            assert!(status.success(), "cc {source}");
            built
        })
        .clone()
}

/// The command of a world's job, run by another program first.
fn through(world: &World, driver: &str, first: &str, args: &[&str]) -> Outcome {
    let inner = world.command(&world.job(driver, &["exit", "0"]));
    let mut command = Command::new(first);
    command
        .args(args)
        .arg(inner.get_program())
        .args(inner.get_args());
    Running::start(&mut command).wait()
}

#[test]
fn without_landlock_exec2_is_refused_and_exec_runs() {
    if !require(NEEDS) {
        return;
    }
    let world = World::alone();
    let before = HostState::take();
    let hide = hide().display().to_string();
    let mut args = LANDLOCK.to_vec();
    args.push("--");
    let outcome = through(&world, "exec2", &hide, &args);
    assert_eq!(outcome.code, Some(MISSING_DRIVERS), "{outcome:?}");
    assert!(
        outcome.stderr.contains("landlock not available"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("lsm="), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(CONSTRAINT), "{}", outcome.stderr);
    before.assert_restored(Duration::from_secs(5));
    let _ = through(&world, "exec", &hide, &args).exited(0);
}

#[test]
fn without_cgroups_both_drivers_are_refused() {
    if !require(NEEDS) {
        return;
    }
    let world = World::alone();
    let before = HostState::take();
    for driver in crate::DRIVERS {
        let script = "umount -R /sys/fs/cgroup && exec \"$@\"";
        let outcome = through(&world, driver, "unshare", &["-m", "sh", "-c", script, "sh"]);
        assert_eq!(outcome.code, Some(MISSING_DRIVERS), "{outcome:?}");
        assert!(
            outcome.stderr.contains("no usable cgroup hierarchy"),
            "{}",
            outcome.stderr
        );
    }
    before.assert_restored(Duration::from_secs(5));
}
