//! credentials(7): who a task is.
use serde_json::json;
use suite::World;
use suite::need::require;

use crate::{DRIVERS, EXEC_NEEDS, NEEDS, facts};

/// Who an `exec` task without `user` is: nobody and nogroup.
const NOBODY: u32 = 65534;

/// Where the uid of an `exec2` task without `user` comes from.
const DYNAMIC: std::ops::RangeInclusive<u64> = 80000..=89999;

/// An account that every host has, and its ids.
const DAEMON: (&str, u32) = ("daemon", 1);

const UMASK: u32 = 0o022;

#[test]
fn under_exec_the_default_user_is_nobody_with_its_own_group() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let facts = facts(&world, &world.job("exec", &[]));
    assert_eq!(
        (&facts["uid"], &facts["gid"]),
        (&json!(([NOBODY; 4])), &json!(([NOBODY; 4])))
    );
    assert!(
        !facts["groups"].as_array().unwrap().contains(&json!(0)),
        "{facts}"
    );
}

#[test]
fn under_exec2_the_default_user_is_a_dynamic_one_with_no_groups() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let facts = facts(&world, &world.job("exec2", &[]));
    let uid = facts["uid"][0].as_u64().unwrap();
    assert!(DYNAMIC.contains(&uid), "{uid}");
    assert_eq!(
        (&facts["uid"], &facts["gid"], &facts["groups"]),
        (&json!(([uid; 4])), &json!(([uid; 4])), &json!([]))
    );
    assert_eq!(facts["env"]["USER"], json!(format!("nomad-{uid}")));
}

#[test]
fn two_tasks_at_once_have_two_dynamic_users() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let job = world.job("exec2", &["facts", ",", "sleep", "3"]);
    let (first, second) = (world.start(&job), world.start(&job));
    assert_ne!(
        first.wait().exited(0).line()["uid"],
        second.wait().exited(0).line()["uid"]
    );
}

#[test]
fn a_named_user_comes_with_its_primary_group() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let (name, id) = DAEMON;
    for driver in DRIVERS {
        let facts = facts(&world, &world.job(driver, &[]).user(name));
        assert_eq!(
            (&facts["uid"], &facts["gid"]),
            (&json!(([id; 4])), &json!(([id; 4]))),
            "{driver}"
        );
        assert!(
            !facts["groups"].as_array().unwrap().contains(&json!(0)),
            "{driver}: {facts}"
        );
        assert_eq!(facts["env"]["USER"], json!(name), "{driver}");
    }
}

#[test]
fn a_user_that_does_not_exist_is_an_error_that_names_it() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let outcome = world.run(&world.job(driver, &[]).user("encamp-nobody-at-all"));
        assert_ne!(outcome.code, Some(0), "{outcome}");
        assert!(
            outcome.stderr.contains("encamp-nobody-at-all") && outcome.stdout.is_empty(),
            "{outcome}"
        );
    }
}

#[test]
fn the_umask_is_the_usual_one_whatever_the_callers_is() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let inner = world.command(&world.job(driver, &[]));
        let mut shell = std::process::Command::new("/bin/sh");
        shell
            .args(["-c", "umask 077; exec \"$0\" \"$@\""])
            .arg(inner.get_program())
            .args(inner.get_args());
        let facts = suite::Running::start(&mut shell).wait().exited(0).line();
        assert_eq!(facts["umask"], json!(UMASK), "{driver}");
    }
}
