//! environ(7): what a task is told, and what it is not.
use std::collections::BTreeSet;

use serde_json::json;
use suite::World;
use suite::need::require;

use crate::{DRIVERS, EXEC_NEEDS, NEEDS, facts};

/// What an `exec` task with defaults has, and nothing else.
const EXEC: [(&str, &str); 10] = [
    ("HOME", "/nonexistent"),
    ("LOGNAME", "nobody"),
    ("NOMAD_ALLOC_DIR", "/alloc"),
    ("NOMAD_CPU_LIMIT", "100"),
    ("NOMAD_MEMORY_LIMIT", "300"),
    ("NOMAD_SECRETS_DIR", "/secrets"),
    ("NOMAD_TASK_DIR", "/local"),
    ("NOMAD_TASK_NAME", "t"),
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("USER", "nobody"),
];

/// Names that a task of either driver has.
const BOTH: [&str; 18] = [
    "HOME",
    "NOMAD_ALLOC_DIR",
    "NOMAD_ALLOC_ID",
    "NOMAD_ALLOC_INDEX",
    "NOMAD_ALLOC_NAME",
    "NOMAD_CPU_LIMIT",
    "NOMAD_DC",
    "NOMAD_GROUP_NAME",
    "NOMAD_JOB_ID",
    "NOMAD_JOB_NAME",
    "NOMAD_MEMORY_LIMIT",
    "NOMAD_NAMESPACE",
    "NOMAD_REGION",
    "NOMAD_SECRETS_DIR",
    "NOMAD_TASK_DIR",
    "NOMAD_TASK_NAME",
    "PATH",
    "USER",
];

/// Names that it may have beside those: by driver, by host, or inherited on purpose.
const ALLOWED: [&str; 9] = [
    "LANG",
    "LOGNAME",
    "NOMAD_PARENT_CGROUP",
    "NOMAD_SHORT_ALLOC_ID",
    "TERM",
    "TMPDIR",
    "TZ",
    "OWN",
    "LC_ALL",
];

#[test]
fn the_variables_are_nomads_and_no_others() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let mut command = world.command(&world.job(driver, &[]));
        command
            .env("SECRET_TOKEN", "x")
            .env("SSH_AUTH_SOCK", "/x")
            .env("LD_LIBRARY_PATH", "/x")
            .env("NOMAD_TOKEN", "x");
        let facts = suite::Running::start(&mut command).wait().exited(0).line();
        let names: BTreeSet<_> = facts["env"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let missing: Vec<_> = BOTH.iter().filter(|name| !names.contains(*name)).collect();
        let more: Vec<_> = names
            .iter()
            .filter(|name| !BOTH.contains(name) && !ALLOWED.contains(name))
            .collect();
        assert_eq!((missing, more), (vec![], vec![]), "{driver}: missing, more");
    }
}

#[test]
fn under_exec_the_values_are_as_in_nomad() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let facts = facts(&world, &world.job("exec", &[]));
    for (name, value) in EXEC {
        assert_eq!(facts["env"][name], json!(value), "{name}");
    }
}

#[test]
fn under_exec2_directories_are_where_the_task_finds_them() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let facts = facts(&world, &world.job("exec2", &[]));
    let env = &facts["env"];
    let mounts = env["NOMAD_TASK_DIR"]
        .as_str()
        .unwrap()
        .strip_suffix("/local")
        .unwrap();
    assert_eq!(env["NOMAD_ALLOC_DIR"], json!(format!("{mounts}/alloc")));
    assert_eq!(env["NOMAD_SECRETS_DIR"], json!(format!("{mounts}/secrets")));
    assert_eq!(env["TMPDIR"], json!(format!("{mounts}/tmp")));
    assert_eq!(env["HOME"], json!("/nonexistent"));
}

#[test]
fn the_jobs_own_variables_arrive_as_they_are() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        for value in [
            "plain",
            "",
            "two words",
            "a\"b'c\\d",
            "tab\tline\nend",
            "ümlaut",
            "$HOME",
            "=x=",
        ] {
            let facts = facts(&world, &world.job(driver, &[]).env("OWN", value));
            assert_eq!(facts["env"]["OWN"], json!(value), "{driver}");
        }
    }
}

#[test]
fn arguments_arrive_as_they_are() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let arguments = ["facts", "", "two words", "a\"b", "--", "$HOME", "*"];
    for driver in DRIVERS {
        // The probe takes the first word of each group; the rest of this group is only looked at.
        let outcome = world.run(&world.job(
            driver,
            &[
                "facts",
                ",",
                "say",
                arguments[1],
                arguments[2],
                arguments[3],
                arguments[4],
                arguments[5],
                arguments[6],
            ],
        ));
        let line: serde_json::Value =
            serde_json::from_str(outcome.stdout.lines().next().unwrap()).unwrap();
        assert_eq!(
            crate::strings(&line["argv"])[4..],
            arguments[1..],
            "{driver}"
        );
    }
}

#[test]
fn exec2_takes_ld_variables_away() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let facts = facts(
        &world,
        &world
            .job("exec2", &[])
            .env("LD_PRELOAD", "/x.so")
            .env("OWN", "y"),
    );
    assert_eq!(
        (&facts["env"]["LD_PRELOAD"], &facts["env"]["OWN"]),
        (&json!(null), &json!("y"))
    );
}
