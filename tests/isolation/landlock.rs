//! The Landlock domain of an `exec2` task, and the tree around it.
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use serde_json::json;
use suite::need::require;
use suite::{Job, Need, World};

use crate::{EXEC_NEEDS, NEEDS, errnos, facts};

const EPERM: i64 = 1;
const ENOENT: i64 = 2;
const EACCES: i64 = 13;
const EROFS: i64 = 30;

/// A file that every host has and that no default grants.
const UNGRANTED: &str = "/etc/hostname";

#[test]
fn what_no_default_names_cannot_be_read_listed_or_executed() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let job = world.job(
        "exec2",
        &[
            "read",
            UNGRANTED,
            ",",
            "list",
            "/",
            ",",
            "list",
            "/root",
            ",",
            "list",
            "/sbin",
            ",",
            "exec",
            "/sbin/ldconfig",
            "--version",
        ],
    );
    assert_eq!(errnos(&world, &job), [Some(EACCES); 5]);
}

#[test]
fn the_defaults_let_a_program_run() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let job = world.job(
        "exec2",
        &[
            "exec",
            "/bin/true",
            ",",
            "read",
            "/etc/hosts",
            ",",
            "list",
            "/usr/bin",
            ",",
            "write",
            "/dev/null",
            "x",
        ],
    );
    assert_eq!(errnos(&world, &job), [None; 4]);
}

#[test]
fn unveil_grants_what_it_names() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let unveil = format!("unveil = [\"r:{UNGRANTED}\"]");
    let job = world
        .job("exec2", &["read", UNGRANTED, ",", "write", UNGRANTED])
        .config(&unveil)
        .user("root");
    let errnos = errnos(&world, &job);
    assert_eq!(errnos[0], None);
    assert!(matches!(errnos[1], Some(EACCES | EROFS)), "{errnos:?}");
}

#[test]
fn unveil_of_what_does_not_exist_is_an_error_that_names_it() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let outcome = world.run(
        &world
            .job("exec2", &[])
            .config("unveil = [\"r:/encamp/no/such\"]"),
    );
    assert_ne!(outcome.code, Some(0), "{outcome}");
    assert!(
        outcome.stderr.contains("/encamp/no/such") && outcome.stdout.is_empty(),
        "{outcome}"
    );
}

#[test]
fn the_tasks_own_directories_are_writable() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let job = world.job(
        "exec2",
        &[
            "create",
            "local/x",
            ",",
            "create",
            "alloc/x",
            ",",
            "create",
            "secrets/x",
            ",",
            "create",
            "tmp/x",
            ",",
            "unlink",
            "tmp/x",
        ],
    );
    assert_eq!(errnos(&world, &job), [None; 5]);
}

#[test]
fn tmp_is_private_to_the_task() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let canary = world.directory().join("canary");
    std::fs::write(&canary, "secret").unwrap();
    let mark = format!("/tmp/encamp-mark-{}", std::process::id());
    let lines = world
        .run(&world.job(
            "exec2",
            &[
                "create",
                &mark,
                ",",
                "read",
                canary.to_str().unwrap(),
                ",",
                "list",
                "/tmp",
            ],
        ))
        .exited(0)
        .lines();
    assert_eq!(
        (&lines[0]["ok"], lines[1]["errno"].as_i64()),
        (&json!(true), Some(ENOENT)),
        "{lines:?}"
    );
    let name = Path::new(&mark)
        .file_name()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    assert!(
        lines[2]["names"].as_array().unwrap().contains(&json!(name)),
        "{lines:?}"
    );
    assert!(!Path::new(&mark).exists(), "{mark} is on the host");
}

#[test]
fn root_cannot_change_a_file_of_the_host() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let canary = world.canary();
    let path = canary.path();
    let job = world.job(
        "exec2",
        &[
            "chmod", path, "4777", ",", "chown", path, "1", ",", "write", path, "x", ",",
            "truncate", path, ",", "unlink", path,
        ],
    );
    let errnos = errnos(&world, &job.user("root"));
    assert!(
        errnos
            .iter()
            .all(|errno| matches!(errno, Some(EPERM | EACCES | EROFS))),
        "{errnos:?}"
    );
    canary.assert_untouched();
}

#[test]
fn root_cannot_mount_or_make_devices() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let job = world.job(
        "exec2",
        &[
            "mount",
            "local",
            ",",
            "remount-rw",
            "local",
            ",",
            "mknod",
            "local/b",
            "b",
            "7",
            "0",
            ",",
            "mknod",
            "local/c",
            "c",
            "1",
            "1",
        ],
    );
    let errnos = errnos(&world, &job.user("root"));
    assert!(
        errnos
            .iter()
            .all(|errno| matches!(errno, Some(EPERM | EACCES))),
        "{errnos:?}"
    );
}

#[test]
fn the_tree_is_read_only_except_for_the_tasks_own_directories() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let facts = facts(&world, &world.job("exec2", &[]));
    let root = facts["mounts"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .find(|mount| mount["target"] == "/")
        .unwrap();
    assert!(
        crate::strings(&root["options"]).contains(&"ro".to_owned()),
        "{root}"
    );
    let peer = crate::strings(&root["propagation"]);
    assert!(
        !peer.iter().any(|field| field.starts_with("shared:")),
        "mounts of the task would reach the host: {root}"
    );
}

#[test]
fn proc_and_the_standard_streams_open_by_path_in_children_too() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let script = "echo out > /dev/stdout && echo err > /dev/stderr && ls /dev/fd && /bin/cat /proc/self/cmdline";
    for user in [None, Some("root")] {
        let mut job = Job::new("exec2", "/bin/sh", &["-c", script]);
        if let Some(user) = user {
            job = job.user(user);
        }
        let outcome = world.run(&job).exited(0);
        assert!(
            outcome.stdout.starts_with("out\n0\n1\n2\n")
                && outcome.stdout.ends_with("/bin/cat\0/proc/self/cmdline\0"),
            "{outcome}"
        );
        assert!(outcome.stderr.contains("err\n"), "{outcome}");
    }
}

#[test]
fn abstract_sockets_of_the_host_are_out_of_reach() {
    if !require(NEEDS) || !require(&[Need::LandlockScopes]) {
        return;
    }
    let world = World::shared();
    let name = format!("encamp-suite-{}", std::process::id());
    let _listener =
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    assert_eq!(
        errnos(
            &world,
            &world
                .job("exec2", &["connect-abstract", &name])
                .user("root")
        ),
        [Some(EPERM)]
    );
}

#[test]
fn our_own_state_is_out_of_reach() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in crate::DRIVERS {
        let job = world
            .job(
                driver,
                &["list", "/run/encamp", ",", "list", "/var/lib/encamp"],
            )
            .user("root");
        let lines = world.run(&job).exited(0).lines();
        assert!(
            lines
                .iter()
                .all(|line| line["ok"] == json!(false) || line["names"] == json!([])),
            "{driver}: {lines:?}"
        );
    }
}

#[test]
fn the_working_directory_is_the_task_directory_and_can_be_listed() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let lines = world
        .run(&world.job("exec2", &["facts", ",", "list", "."]))
        .exited(0)
        .lines();
    let names = crate::strings(&lines[1]["names"]);
    for name in ["alloc", "local", "secrets", "tmp"] {
        assert!(names.contains(&name.to_owned()), "no {name} in {names:?}");
    }
    let cwd = lines[0]["cwd"].as_str().unwrap();
    assert_eq!(
        lines[0]["env"]["NOMAD_TASK_DIR"],
        json!(format!("{cwd}/local"))
    );
}

#[test]
fn a_file_of_the_tasks_own_procfs_can_be_unveiled_alone() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let args = ["read", "/proc/version", ",", "read", "/proc/uptime"];
    let mut driven = suite::Driven::new(&world, driver::Kind::Exec2, &args);
    driven.operate("unveil_defaults", false.into());
    let unveil = ["rx:/usr/local/bin", "r:/proc/version"];
    driven.config("unveil", unveil.as_slice().into());
    let lines = driven.run().exited(0).lines();
    assert_eq!(
        (&lines[0]["ok"], &lines[1]["errno"]),
        (&true.into(), &EACCES.into()),
        "{lines:?}"
    );
}
