//! Volumes: what of the host a task is handed, how it may use it, and what is mounted in it later.
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use driver::Kind;
use driver::task_config::Mount;
use serde_json::{Value, json};
use suite::driven::KINDS;
use suite::need::require;
use suite::{Apart, Driven, World};

use crate::{NEEDS, strings};

/// The user of exec's tasks and that of exec2's.
const UIDS: [(Kind, u32); 2] = [(Kind::Exec, 65534), (Kind::Exec2, 80017)];

const ENOENT: i64 = 2;
const EACCES: i64 = 13;
const EROFS: i64 = 30;

/// Starts against somebody who exchanges what is being mounted.
const STARTS: usize = 100;

fn volume(host_path: impl AsRef<Path>, task_path: &str) -> Mount {
    Mount {
        task_path: task_path.to_owned(),
        host_path: host_path.as_ref().to_owned(),
        ..Mount::default()
    }
}

/// A directory of the test's on the host that everybody may write to, with a file in it.
fn directory(driven: &Driven<'_>, name: &str) -> PathBuf {
    let path = driven.root().join(name);
    fs::create_dir_all(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    fs::write(path.join("file"), name).unwrap();
    path
}

fn mount_tmpfs(path: &Path) {
    fs::create_dir_all(path).unwrap();
    let status = Command::new("mount")
        .args(["-t", "tmpfs", "tmpfs"])
        .arg(path)
        .status();
    assert!(status.unwrap().success());
    fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
    fs::write(path.join("file"), "mounted").unwrap();
}

fn unmount(path: &Path) {
    assert!(Command::new("umount").arg(path).status().unwrap().success());
}

/// Each attempt's errno.
#[track_caller]
fn errnos(driven: &mut Driven<'_>, args: &[&str]) -> Vec<Option<i64>> {
    let lines = driven.args(args).run().exited(0).lines();
    lines.iter().map(|line| line["errno"].as_i64()).collect()
}

/// The topmost mount at a place.
fn mounted<'a>(facts: &'a Value, target: &str) -> &'a Value {
    let mounts = facts["mounts"].as_array().unwrap();
    let found = mounts.iter().rev().find(|mount| mount["target"] == target);
    found.unwrap_or_else(|| panic!("nothing is mounted at {target}"))
}

#[test]
fn a_volume_is_the_hosts_directory_and_what_the_task_writes_is_the_tasks() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for (kind, uid) in UIDS {
        let mut driven = Driven::new(&world, kind, &[]);
        let host = directory(&driven, "volume");
        let at = driven.inside("local/volume");
        driven.task.mounts = vec![volume(&host, &at)];
        let new = format!("{at}/new");
        let read = format!("{at}/file");
        let lines = driven
            .args(&["facts", ",", "create", &new, "x", ",", "read", &read])
            .run()
            .exited(0)
            .lines();
        assert_eq!(
            (&lines[1]["ok"], &lines[2]["text"]),
            (&json!(true), &json!("volume")),
            "{kind:?}: {lines:?}"
        );
        assert_eq!(
            fs::metadata(host.join("new")).unwrap().uid(),
            uid,
            "{kind:?}"
        );
        let options = strings(&mounted(&lines[0], &at)["options"]);
        assert!(
            options.contains(&"nodev".to_owned()),
            "{kind:?}: {options:?}"
        );
    }
}

#[test]
fn a_program_in_a_volume_can_be_executed() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        for readonly in [false, true] {
            let mut driven = Driven::new(&world, kind, &[]);
            let host = directory(&driven, "volume");
            fs::copy(world.probe(), host.join("probe")).unwrap();
            let at = driven.inside("local/volume");
            driven.task.mounts = vec![Mount {
                readonly,
                ..volume(&host, &at)
            }];
            let probe = format!("{at}/probe");
            let line = driven
                .args(&["exec", &probe, "say", "hello"])
                .run()
                .exited(0)
                .line();
            assert_eq!(line["stdout"], "hello\n", "{kind:?} {readonly}: {line}");
        }
    }
}

#[test]
fn the_rights_of_the_files_in_it_are_those_of_the_tasks_user() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for (kind, uid) in UIDS {
        let mut driven = Driven::new(&world, kind, &[]);
        if kind == Kind::Exec {
            driven.config("cap_drop", ["all"].as_slice().into());
        }
        let host = directory(&driven, "volume");
        for (name, owner) in [("own", uid), ("roots", 0)] {
            fs::write(host.join(name), "x").unwrap();
            fs::set_permissions(host.join(name), Permissions::from_mode(0o600)).unwrap();
            chown(host.join(name), Some(owner), None).unwrap();
        }
        let at = driven.inside("local/volume");
        driven.task.mounts = vec![volume(&host, &at)];
        let (own, roots) = (format!("{at}/own"), format!("{at}/roots"));
        assert_eq!(
            errnos(&mut driven, &["write", &own, "y", ",", "read", &roots]),
            [None, Some(EACCES)],
            "{kind:?}"
        );
    }
}

#[test]
fn read_only_is_read_only_down_to_the_last_submount_also_for_root() {
    if !require(NEEDS) {
        return;
    }
    Apart::Private.run(|world| {
        for kind in KINDS {
            let mut driven = Driven::new(world, kind, &[]);
            driven.task.user = "root".to_owned();
            let host = directory(&driven, "volume");
            mount_tmpfs(&host.join("sub"));
            mount_tmpfs(&host.join("sub/deep"));
            let at = driven.inside("local/volume");
            driven.task.mounts = vec![Mount {
                readonly: true,
                ..volume(&host, &at)
            }];
            let places = [at.clone(), format!("{at}/sub"), format!("{at}/sub/deep")];
            for place in &places {
                let (new, file) = (format!("{place}/new"), format!("{place}/file"));
                let lines = driven
                    .args(&[
                        "facts", ",", "read", &file, ",", "chmod", &file, "777", ",", "chown",
                        &file, "1", ",", "create", &new, ",", "mkdir", &new, ",", "write", &file,
                        "x",
                    ])
                    .run()
                    .exited(0)
                    .lines();
                assert_eq!(lines[1]["ok"], true, "{kind:?} {place}: submounts show");
                assert_eq!(
                    (&lines[2]["errno"], &lines[3]["errno"]),
                    (&json!(EROFS), &json!(EROFS)),
                    "{kind:?} {place}"
                );
                for refused in &lines[4..] {
                    assert_eq!(refused["ok"], false, "{kind:?}: {refused}");
                }
                let options = strings(&mounted(&lines[0], place)["options"]);
                assert!(
                    ["ro", "nodev"]
                        .iter()
                        .all(|flag| options.contains(&(*flag).to_owned())),
                    "{kind:?} {place}: {options:?}"
                );
            }
            unmount(&host.join("sub/deep"));
            unmount(&host.join("sub"));
        }
    });
}

#[test]
fn what_the_host_mounts_in_it_later_arrives_as_the_mode_says() {
    if !require(NEEDS) {
        return;
    }
    Apart::Shared.run(|world| {
        for kind in KINDS {
            for (mode, arrives) in [
                ("", false),
                ("private", false),
                ("host-to-task", true),
                ("bidirectional", true),
            ] {
                let mut driven = Driven::new(world, kind, &["say", "ready", ",", "sleep", "600"]);
                let host = directory(&driven, "volume");
                let at = driven.inside("local/volume");
                driven.task.mounts = vec![Mount {
                    propagation_mode: mode.to_owned(),
                    ..volume(&host, &at)
                }];
                fs::create_dir(host.join("later")).unwrap();
                let live = driven.start();
                live.wait_for_stdout("ready");
                mount_tmpfs(&host.join("later"));
                let line = live
                    .enter(&[world.probe(), "read", &format!("{at}/later/file")])
                    .line();
                assert_eq!(line["ok"], json!(arrives), "{kind:?} {mode:?}: {line}");
                live.stop();
                unmount(&host.join("later"));
            }
        }
    });
}

#[test]
fn what_a_task_mounts_in_it_reaches_the_host_only_when_it_is_bidirectional() {
    if !require(NEEDS) {
        return;
    }
    Apart::Shared.run(|world| {
        for (mode, reaches) in [
            ("", false),
            ("host-to-task", false),
            ("bidirectional", true),
        ] {
            let mut driven = Driven::new(
                world,
                Kind::Exec,
                &["mount", "/volume/own", ",", "sleep", "600"],
            );
            driven.task.user = "root".to_owned();
            driven.operate("allow_caps", ["sys_admin"].as_slice().into());
            driven.config("cap_add", ["sys_admin"].as_slice().into());
            let host = directory(&driven, "volume");
            fs::create_dir(host.join("own")).unwrap();
            driven.task.mounts = vec![Mount {
                propagation_mode: mode.to_owned(),
                ..volume(&host, "/volume")
            }];
            let live = driven.start();
            let text = live.wait_for_stdout("\"verb\":\"mount\"");
            assert!(text.contains("\"ok\":true"), "{mode:?}: {text}");
            let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
            let point = host.join("own").display().to_string();
            assert_eq!(mounts.contains(&point), reaches, "{mode:?}");
            live.stop();
            if reaches {
                unmount(&host.join("own"));
            }
        }
    });
}

#[test]
fn no_mount_of_a_start_shows_on_a_shared_host() {
    if !require(NEEDS) {
        return;
    }
    Apart::Shared.run(|world| {
        let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap();
        for kind in KINDS {
            let mut driven = Driven::new(world, kind, &["say", "ready", ",", "sleep", "600"]);
            let host = directory(&driven, "volume");
            driven.task.mounts = vec![Mount {
                propagation_mode: "bidirectional".to_owned(),
                ..volume(&host, &driven.inside("local/volume"))
            }];
            let before = mounts();
            let live = driven.start();
            live.wait_for_stdout("ready");
            assert_eq!(mounts(), before, "{kind:?}");
            live.stop();
            assert_eq!(mounts(), before, "{kind:?}");
        }
    });
}

/// The hole would be a file system that appears with files of root's in it: Landlock does not mediate chmod.
#[test]
fn under_exec2_what_the_host_mounts_later_is_out_of_reach_for_root_and_not_to_be_changed_by_others()
{
    if !require(NEEDS) {
        return;
    }
    Apart::Shared.run(|world| {
        // User, what is granted, errno of a stat, errno of a chmod.
        let cases: [(&str, &[&str], Value, i64); 3] = [
            ("root", &[], json!(ENOENT), ENOENT),
            ("nomad-80017", &["fowner"], json!(ENOENT), ENOENT),
            ("nomad-80017", &[], Value::Null, 1),
        ];
        for (user, granted, stat, chmod) in cases {
            let mut driven =
                Driven::new(world, Kind::Exec2, &["say", "ready", ",", "sleep", "600"]);
            driven.task.user = user.to_owned();
            driven.config("cap_add", granted.into());
            let later = directory(&driven, "later");
            let file = later.join("mounted").display().to_string();
            let live = driven.start();
            live.wait_for_stdout("ready");
            mount_tmpfs(&later);
            fs::write(&file, "").unwrap();
            let lines = live
                .enter(&[world.probe(), "stat", &file, ",", "chmod", &file, "4777"])
                .lines();
            assert_eq!(
                (&lines[0]["errno"], &lines[1]["errno"]),
                (&stat, &json!(chmod)),
                "{user} {granted:?}: {lines:?}"
            );
            live.stop();
            unmount(&later);
        }
    });
}

#[test]
fn a_file_can_be_a_volume() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for (kind, uid) in UIDS {
        let mut driven = Driven::new(&world, kind, &[]);
        let host = directory(&driven, "volume").join("file");
        chown(&host, Some(uid), None).unwrap();
        let at = driven.inside("local/a-file");
        driven.task.mounts = vec![volume(&host, &at)];
        assert_eq!(
            errnos(&mut driven, &["write", &at, "written"]),
            [None],
            "{kind:?}"
        );
        assert!(
            fs::read_to_string(&host).unwrap().starts_with("written"),
            "{kind:?}"
        );
    }
}

#[test]
fn volumes_lie_in_each_other_in_the_jobs_order() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::new(&world, kind, &[]);
        let [outer, inner, over] = ["outer", "inner", "over"].map(|name| directory(&driven, name));
        let at = driven.inside("local/volume");
        let within = format!("{at}/within");
        driven.task.mounts = vec![volume(&outer, &at), volume(&inner, &within)];
        let (file, within_file) = (format!("{at}/file"), format!("{within}/file"));
        let read = ["read", &*file, ",", "read", &*within_file];
        let texts = |driven: &mut Driven<'_>| {
            let lines = driven.args(&read).run().exited(0).lines();
            [lines[0]["text"].clone(), lines[1]["text"].clone()]
        };
        assert_eq!(texts(&mut driven), ["outer", "inner"], "{kind:?}");
        assert!(
            outer.join("within").is_dir(),
            "the mount point that was made"
        );
        driven.task.mounts.push(volume(&over, &at));
        assert_eq!(
            texts(&mut driven),
            [json!("over"), Value::Null],
            "{kind:?}: the later lies over the earlier"
        );
    }
}

#[test]
fn places_inside_are_taken_from_the_root_and_the_hosts_are_left_alone() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for (task_path, inside) in [
        ("/etc/x", "/etc/x"),
        ("/local/../etc/./y", "/etc/y"),
        ("relative", "/relative"),
        ("/../../up", "/up"),
    ] {
        let mut driven = Driven::new(&world, Kind::Exec, &[]);
        let host = directory(&driven, "volume");
        driven.task.mounts = vec![volume(&host, task_path)];
        let file = format!("{inside}/file");
        assert_eq!(errnos(&mut driven, &["read", &file]), [None], "{task_path}");
        assert!(!Path::new(inside).exists(), "{inside} was made on the host");
    }
    let mut driven = Driven::new(&world, Kind::Exec2, &[]);
    driven.task.mounts = vec![volume(directory(&driven, "volume"), "/etc/encamp-x")];
    let told = driven.refused();
    assert!(
        told.contains("/etc/encamp-x would have to be made on the host"),
        "{told}"
    );
    assert!(!Path::new("/etc/encamp-x").exists());
}

#[test]
fn a_volume_may_lie_over_what_is_there() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::new(&world, kind, &[]);
        driven.task.mounts = vec![volume(directory(&driven, "volume"), "/usr/share/zoneinfo")];
        assert_eq!(
            errnos(
                &mut driven,
                &[
                    "read",
                    "/usr/share/zoneinfo/file",
                    ",",
                    "list",
                    "/usr/share/zoneinfo"
                ]
            ),
            [None, None],
            "{kind:?}"
        );
        assert!(!Path::new("/usr/share/zoneinfo/file").exists());
    }
}

#[test]
fn what_cannot_be_a_volume_is_refused_by_name() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::new(&world, kind, &[]);
        let host = directory(&driven, "volume");
        let missing = driven.root().join("missing");
        let at = driven.inside("local/volume");
        let odd = Mount {
            propagation_mode: "rshared".to_owned(),
            ..volume(&host, &at)
        };
        let cases = [
            (
                volume(&missing, &at),
                format!("{}: No such file or directory", missing.display()),
            ),
            (
                volume(&host, "/"),
                "a volume cannot be mounted at \"/\"".to_owned(),
            ),
            (
                volume(&host, "/x/.."),
                "a volume cannot be mounted at \"/x/..\"".to_owned(),
            ),
            (
                volume(&host, "/proc"),
                "a volume cannot be mounted at \"/proc\"".to_owned(),
            ),
            (
                volume(&host, "/proc/self"),
                "a volume cannot be mounted at \"/proc/self\"".to_owned(),
            ),
            (
                volume("volume", &at),
                "relative host path \"volume\"".to_owned(),
            ),
            (odd, "unknown propagation_mode \"rshared\"".to_owned()),
        ];
        for (mount, wanted) in cases {
            driven.task.mounts = vec![mount];
            let told = driven.refused();
            assert!(told.contains(&wanted), "{kind:?}: {told}");
        }
    }
}

#[test]
fn what_no_task_may_see_is_covered_in_a_volume_whatever_it_is_called() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::new(&world, kind, &[]);
        driven.task.user = "root".to_owned();
        let host = directory(&driven, "outer");
        let hidden = host.join("hidden");
        fs::create_dir(&hidden).unwrap();
        fs::write(hidden.join("record"), "secret").unwrap();
        let link = driven.root().join("link");
        symlink(&host, &link).unwrap();
        driven.hidden = vec![hidden.clone()];
        let at = driven.inside("local/volume");
        let (file, record, list) = (
            format!("{at}/file"),
            format!("{at}/hidden/record"),
            format!("{at}/hidden"),
        );
        for source in [&host, &link] {
            driven.task.mounts = vec![volume(source, &at)];
            let lines = driven
                .args(&["read", &file, ",", "read", &record, ",", "list", &list])
                .run()
                .exited(0)
                .lines();
            assert_eq!(lines[0]["text"], "outer", "{kind:?} {}", source.display());
            assert_eq!(
                (&lines[1]["errno"], &lines[2]["names"]),
                (&json!(ENOENT), &json!([])),
                "{kind:?} {}",
                source.display()
            );
        }
        // A directory whose name merely begins alike is another one.
        let alike = directory(&driven, "outer/hidden-not");
        driven.task.mounts = vec![volume(alike, &at)];
        assert_eq!(errnos(&mut driven, &["read", &file]), [None], "{kind:?}");
        for source in [hidden.clone(), link.join("hidden")] {
            driven.task.mounts = vec![volume(&source, &at)];
            assert!(
                driven.refused().contains("which no task may see"),
                "{kind:?}"
            );
        }
    }
}

#[test]
fn a_link_that_somebody_else_put_in_the_way_of_a_source_is_refused() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::new(&world, kind, &[]);
        let shared = directory(&driven, "shared");
        let secret = directory(&driven, "secret");
        symlink(&secret, shared.join("link")).unwrap();
        std::os::unix::fs::lchown(shared.join("link"), Some(1234), None).unwrap();
        let at = driven.inside("local/volume");
        driven.task.mounts = vec![volume(shared.join("link"), &at)];
        let told = driven.refused();
        assert!(
            told.contains("link: Too many levels of symbolic links"),
            "{kind:?}: {told}"
        );
    }
}

/// CVE-2021-30465, CVE-2024-45310, CVE-2025-4922: names that change between the look and the mount.
#[test]
fn exchanging_what_is_mounted_and_where_leads_nowhere() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut attacker = Driven::new(
        &world,
        Kind::Exec,
        &["exchange", "/shared/a", "/shared/b", "600"],
    );
    let shared = directory(&attacker, "shared");
    let secret = directory(&attacker, "secret");
    fs::create_dir(shared.join("a")).unwrap();
    fs::write(shared.join("a/file"), "honest").unwrap();
    symlink(&secret, shared.join("b")).unwrap();
    // As the attacker would have made them.
    for name in ["a", "b"] {
        std::os::unix::fs::lchown(shared.join(name), Some(65534), None).unwrap();
    }
    attacker.task.mounts = vec![volume(&shared, "/shared")];
    let attack = attacker.start();
    attack.wait_for_stdout("exchanging");
    let mut started = 0;
    for round in 0..STARTS {
        let kind = KINDS[round % 2];
        let mut driven = Driven::new(&world, kind, &[]);
        let (own, within) = (driven.inside("local/own"), driven.inside("local/shared"));
        // The one exchanges the source, the other what the mount point lies in.
        driven.task.mounts = if round % 4 < 2 {
            vec![volume(shared.join("a"), &own)]
        } else {
            vec![
                volume(&shared, &within),
                volume(directory(&driven, "harmless"), &format!("{within}/a/x")),
            ]
        };
        let file = format!("{own}/file");
        driven.args(&["read", &file]);
        if let Ok(live) = driven.try_start() {
            started += 1;
            let line = live.wait().exited(0).line();
            assert_ne!(line["text"], "secret", "{kind:?}, start {round}");
        }
    }
    attack.stop();
    assert!(started > 0, "nothing was tried");
    let left: Vec<_> = fs::read_dir(&secret)
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(left, ["file"], "made through the link");
}
