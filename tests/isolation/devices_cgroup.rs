//! Which device nodes the kernel lets a task open, whatever the file system shows it: `devices.allow` (cgroup v1), a program (v2).
//!
//! Tried with nodes of a number that no driver of the kernel has: where the cgroup lets the opening pass, it ends as ENXIO.
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use driver::Kind;
use driver::task_config::Device;
use rustix::fs::{CWD, FileType, Mode};
use suite::World;
use suite::driven::Driven;
use suite::need::require;

use crate::{EXEC_NEEDS, NEEDS};

/// For local use (Documentation/admin-guide/devices.txt).
const MAJOR: u32 = 60;
const MINOR: u32 = 77;

/// The cgroup refuses; it does not, and there is no such device; the mount is nodev.
const REFUSED: Option<i64> = Some(1);
const PASSED: Option<i64> = Some(6);
const NODEV: Option<i64> = Some(13);

/// Permissions of a device, and what opening it for reading and for writing comes to.
const LETTERS: [(&str, Option<i64>, Option<i64>); 5] = [
    ("rwm", PASSED, PASSED),
    ("rw", PASSED, PASSED),
    ("r", PASSED, REFUSED),
    ("w", REFUSED, PASSED),
    ("m", REFUSED, REFUSED),
];

/// `devices.list` of every task of `exec`.
const EXEC_LIST: [&str; 11] = [
    "b *:* m",
    "c *:* m",
    "c 10:200 rwm",
    "c 136:* rwm",
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 1:8 rwm",
    "c 1:9 rwm",
    "c 5:0 rwm",
    "c 5:2 rwm",
];

/// A node that everybody may use, in a directory of the test's on the host.
fn node(driven: &Driven<'_>) -> PathBuf {
    let directory = driven.root().join("nodes");
    std::fs::create_dir(&directory).unwrap();
    std::fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    let node = directory.join("node");
    let number = rustix::fs::makedev(MAJOR, MINOR);
    let everybody = Mode::from_raw_mode(0o666);
    rustix::fs::mknodat(CWD, &node, FileType::CharacterDevice, everybody, number).unwrap();
    std::fs::set_permissions(&node, Permissions::from_mode(0o666)).unwrap();
    node
}

fn device(host_path: &Path, task_path: &str, letters: &str) -> Device {
    Device {
        task_path: task_path.to_owned(),
        host_path: host_path.to_owned(),
        cgroup_permissions: letters.to_owned(),
    }
}

/// What opening for reading and opening for writing come to.
#[track_caller]
fn opened(driven: &mut Driven<'_>, path: &str) -> [Option<i64>; 2] {
    driven.args(&["read", path, ",", "write", path]);
    let lines = driven.run().exited(0).lines();
    [0, 1].map(|line| lines[line]["errno"].as_i64())
}

#[test]
fn a_device_of_the_task_opens_with_its_letters() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for (letters, reading, writing) in LETTERS {
        let mut driven = Driven::new(&world, Kind::Exec, &[]);
        let node = node(&driven);
        driven.task.devices = vec![device(&node, "/dev/mine", letters)];
        assert_eq!(
            opened(&mut driven, "/dev/mine"),
            [reading, writing],
            "{letters}"
        );
    }
}

#[test]
fn a_device_that_exec2_is_given_opens_with_its_letters() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for (letters, reading, writing) in LETTERS {
        let mut driven = Driven::new(&world, Kind::Exec2, &[]);
        let node = node(&driven);
        let path = node.display().to_string();
        driven.task.devices = vec![device(&node, &path, letters)];
        assert_eq!(opened(&mut driven, &path), [reading, writing], "{letters}");
    }
}

#[test]
fn an_unveiled_node_opens_with_its_letters_and_one_below_an_unveiled_directory_does_not() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let of = |unveil: &dyn Fn(&Path) -> String, user: &str| {
        let mut driven = Driven::new(&world, Kind::Exec2, &[]);
        let node = node(&driven);
        let entry = unveil(&node);
        driven.config("unveil", [entry.as_str()].as_slice().into());
        driven.task.user = user.to_owned();
        opened(&mut driven, node.to_str().unwrap())
    };
    let directory = |node: &Path| format!("rwc:{}", node.parent().unwrap().display());
    for user in ["root", "nobody"] {
        assert_eq!(of(&directory, user), [REFUSED, REFUSED], "{user}");
        assert_eq!(
            of(&|node| format!("r:{}", node.display()), user),
            [PASSED, REFUSED]
        );
        assert_eq!(
            of(&|node| format!("w:{}", node.display()), user),
            [REFUSED, PASSED]
        );
        assert_eq!(
            of(&|node| format!("rw:{}", node.display()), user),
            [PASSED, PASSED]
        );
    }
}

#[test]
fn devices_of_the_host_open_where_exec2_unveils_dev() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut driven = Driven::new(&world, Kind::Exec2, &[]);
    driven.task.user = "root".to_owned();
    // On every Linux, in no default list, and harmless to open; for writing it takes no capability.
    let open = ["exec", "/bin/sh", "-c", "exec > /dev/kmsg"];
    driven.args(&open);
    let refused = driven.run().exited(0).line();
    assert_ne!(refused["code"].as_i64(), Some(0), "{refused}");
    drop(driven);
    let mut driven = Driven::new(&world, Kind::Exec2, &open);
    driven.task.user = "root".to_owned();
    driven.config("unveil", ["w:/dev"].as_slice().into());
    let allowed = driven.run().exited(0).line();
    assert_eq!(allowed["code"].as_i64(), Some(0), "{allowed}");
}

#[test]
fn nodes_that_exec_makes_as_in_nomad_lead_nowhere() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let args = [
        "mknod",
        "/local/null",
        "c",
        "1",
        "3",
        ",",
        "read",
        "/local/null",
    ];
    let mut driven = Driven::new(&world, Kind::Exec, &args);
    driven.task.user = "root".to_owned();
    let lines = driven.run().exited(0).lines();
    assert_eq!(lines[0]["errno"].as_i64(), None, "{lines:?}");
    assert_eq!(lines[1]["errno"].as_i64(), NODEV, "{lines:?}");
}

#[test]
fn the_rules_of_exec_are_nomads() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let driven = Driven::new(&world, Kind::Exec, &["catch", "INT", "0"]);
    let live = driven.start();
    let _ = live.wait_for_stdout(crate::CATCHING);
    let text = std::fs::read_to_string(format!("/proc/{}/cgroup", live.pid())).unwrap();
    let path = text.lines().find_map(|line| line.split_once(":devices:"));
    if let Some((_, path)) = path {
        let list = format!("/sys/fs/cgroup/devices{path}/devices.list");
        let list = std::fs::read_to_string(list).unwrap();
        let mut list: Vec<_> = list.lines().collect();
        list.sort_unstable();
        assert_eq!(list, EXEC_LIST);
    }
    let _ = live.stop();
}

#[test]
fn what_is_no_device_and_what_is_no_permission_is_refused_before_anything_is_made() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for (path, letters, told) in [
        ("/etc/passwd", "rwm", "/etc/passwd is not a device node"),
        ("/dev/null", "rwx", "'x' is none of r, w and m"),
        ("/dev/no-such", "rw", "/dev/no-such"),
    ] {
        let mut driven = Driven::new(&world, Kind::Exec, &["exit", "0"]);
        driven.task.devices = vec![device(Path::new(path), "/dev/mine", letters)];
        let refused = driven.refused();
        assert!(refused.contains(told), "{refused}");
    }
}
