//! Device nodes of the host that a task is handed.
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use driver::Kind;
use driver::task_config::Device;
use rustix::fs::{CWD, FileType, Mode};
use serde_json::json;
use suite::driven::KINDS;
use suite::need::require;
use suite::{Driven, World};

use crate::NEEDS;

/// Numbers of /dev/null, /dev/zero and /dev/full.
const NULL: (u32, u32) = (1, 3);
const ZERO: (u32, u32) = (1, 5);
const FULL: (u32, u32) = (1, 7);

const EACCES: i64 = 13;
const ENOSPC: i64 = 28;
const EROFS: i64 = 30;

/// A node on the host, with a mode and an owner that are like no other's.
fn node(driven: &Driven<'_>, name: &str, (major, minor): (u32, u32), mode: u32) -> PathBuf {
    let path = driven.root().join(name);
    let kind = FileType::CharacterDevice;
    let number = rustix::fs::makedev(major, minor);
    rustix::fs::mknodat(CWD, &path, kind, Mode::from_raw_mode(mode), number).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    chown(&path, Some(0), Some(1234)).unwrap();
    path
}

fn device(host_path: &Path, task_path: &str, letters: &str) -> Device {
    Device {
        task_path: task_path.to_owned(),
        host_path: host_path.to_owned(),
        cgroup_permissions: letters.to_owned(),
    }
}

#[test]
fn under_exec_it_is_a_node_of_the_same_numbers_mode_and_owner() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let args = [
        "stat",
        "/dev/own/full",
        ",",
        "write",
        "/dev/own/full",
        "x",
        ",",
        "chmod",
        "/dev/own/full",
        "777",
    ];
    let mut driven = Driven::new(&world, Kind::Exec, &args);
    driven.task.user = "root".to_owned();
    let path = node(&driven, "full", FULL, 0o620);
    driven.task.devices = vec![device(&path, "/dev/own/full", "rwm")];
    let lines = driven.run().exited(0).lines();
    let wanted = (
        json!("20620"),
        json!(0),
        json!(1234),
        json!(rustix::fs::makedev(1, 7)),
    );
    let got = (
        &lines[0]["mode"],
        &lines[0]["uid"],
        &lines[0]["gid"],
        &lines[0]["rdev"],
    );
    assert_eq!(
        got,
        (&wanted.0, &wanted.1, &wanted.2, &wanted.3),
        "{}",
        lines[0]
    );
    assert_eq!(
        lines[1]["errno"], ENOSPC,
        "the device answers: {}",
        lines[1]
    );
    assert_eq!(lines[2]["errno"], EROFS, "{}", lines[2]);
    assert_eq!(
        fs::metadata(&path).unwrap().mode(),
        0o20620,
        "the host's node"
    );
}

#[test]
fn under_exec_its_mode_says_who_may_use_it() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let args = [
        "write",
        "/dev/open",
        "x",
        ",",
        "read",
        "/dev/read",
        ",",
        "write",
        "/dev/read",
        "x",
        ",",
        "read",
        "/dev/closed",
    ];
    let mut driven = Driven::new(&world, Kind::Exec, &args);
    driven.config("cap_drop", ["all"].as_slice().into());
    driven.task.devices = [("open", 0o666), ("read", 0o644), ("closed", 0o600)]
        .map(|(name, mode)| {
            device(
                &node(&driven, name, NULL, mode),
                &format!("/dev/{name}"),
                "rwm",
            )
        })
        .into();
    let lines = driven.run().exited(0).lines();
    let errnos: Vec<_> = lines.iter().map(|line| line["errno"].as_i64()).collect();
    assert_eq!(errnos, [None, None, Some(EACCES), Some(EACCES)]);
}

#[test]
fn a_device_may_lie_outside_dev_and_is_the_hosts_own_node_there() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::new(&world, kind, &[]);
        driven.task.user = "root".to_owned();
        let path = node(&driven, "full", FULL, 0o660);
        let inside = driven.inside("local/full");
        driven.args(&[
            "write", &inside, "x", ",", "chmod", &inside, "777", ",", "chown", &inside, "80017",
        ]);
        driven.task.devices = vec![device(&path, &inside, "rw")];
        let lines = driven.run().exited(0).lines();
        let errnos: Vec<_> = lines.iter().map(|line| line["errno"].as_i64()).collect();
        assert_eq!(errnos, [Some(ENOSPC), Some(EROFS), Some(EROFS)], "{kind:?}");
        let now = fs::metadata(&path).unwrap();
        assert_eq!(
            (now.mode(), now.uid(), now.gid()),
            (0o20660, 0, 1234),
            "{kind:?}"
        );
    }
}

#[test]
fn under_exec2_the_letters_grant() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for (letters, read, write) in [
        ("r", true, false),
        ("w", false, true),
        ("rwm", true, true),
        ("m", false, false),
    ] {
        let mut driven = Driven::new(&world, Kind::Exec2, &[]);
        let path = node(&driven, "null", NULL, 0o666);
        // A node of the host's that nothing else grants.
        let inside = "/dev/tty";
        driven.args(&["read", inside, ",", "write", inside, "x"]);
        driven.task.devices = vec![device(&path, inside, letters)];
        let lines = driven.run().exited(0).lines();
        assert_eq!(
            (&lines[0]["ok"], &lines[1]["ok"]),
            (&json!(read), &json!(write)),
            "{letters}: {lines:?}"
        );
    }
}

#[test]
fn under_exec2_a_device_takes_the_place_of_another() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut driven = Driven::new(
        &world,
        Kind::Exec2,
        &["write", "/dev/null", "x", ",", "stat", "/dev/null"],
    );
    let path = node(&driven, "full", FULL, 0o666);
    driven.task.devices = vec![device(&path, "/dev/null", "rw")];
    let lines = driven.run().exited(0).lines();
    assert_eq!(lines[0]["errno"], ENOSPC, "{}", lines[0]);
    assert_eq!(lines[1]["rdev"], json!(rustix::fs::makedev(1, 7)));
    driven.task.devices = vec![device(&path, "/dev/encamp-missing", "rw")];
    let told = driven.refused();
    assert!(
        told.contains("/dev/encamp-missing would have to be made on the host"),
        "{told}"
    );
}

#[test]
fn the_standard_nodes_can_be_asked_for_too() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::new(&world, kind, &["write", "/dev/null", "x"]);
        driven.task.devices = vec![device(Path::new("/dev/null"), "/dev/null", "rwm")];
        assert_eq!(driven.run().exited(0).line()["ok"], true, "{kind:?}");
    }
    let mut driven = Driven::new(&world, Kind::Exec, &[]);
    let zero = node(&driven, "zero", ZERO, 0o666);
    driven.task.devices = vec![device(&zero, "/dev/null", "rwm")];
    let told = driven.refused();
    assert!(
        told.contains("make the device node /dev/null: File exists"),
        "{told}"
    );
}

#[test]
fn what_is_no_device_node_is_refused_by_name() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::new(&world, kind, &[]);
        let path = |name: &str| driven.root().join(name);
        let (link, file, missing) = (path("link"), path("file"), path("missing"));
        symlink("/dev/null", &link).unwrap();
        fs::write(&file, "").unwrap();
        let cases = [
            (&link, "link is a symbolic link, not a device node"),
            (&file, "file is not a device node"),
            (&missing, "missing: No such file or directory"),
        ];
        for (host_path, wanted) in cases {
            for inside in ["/dev/null".to_owned(), driven.inside("local/null")] {
                driven.task.devices = vec![device(host_path, &inside, "rwm")];
                let told = driven.refused();
                assert!(told.contains(wanted), "{kind:?}: {told}");
            }
        }
        for inside in ["/", "/dev", "/dev/pts/0", "/proc/x"] {
            driven.task.devices = vec![device(Path::new("/dev/null"), inside, "rwm")];
            assert!(driven.refused().contains("cannot be shown at"), "{kind:?}");
        }
    }
}
