//! `no_pivot_root`, where pivot_root(2) really fails: with the root on the ramdisk that the kernel unpacked.
use driver::Kind;
use suite::driven::Driven;
use suite::need::require;
use suite::{Need, World};

use crate::strings;

const NEEDS: &[Need] = &[Need::Root, Need::Cgroup, Need::Ramdisk];

const EPERM: i64 = 1;
const ENOENT: i64 = 2;
const EACCES: i64 = 13;

/// On the ramdisk, and in no task's root.
const ONLY_ON_THE_RAMDISK: [&str; 2] = ["/init", "/overlay.ko"];

#[test]
fn a_start_fails_by_the_name_of_the_call_and_with_the_way_out() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let refused = Driven::new(&world, Kind::Exec, &[]).refused();
    assert!(
        refused.contains("pivot_root into the new root")
            && refused.contains("no_pivot_root = true"),
        "{refused}"
    );
}

#[test]
fn with_no_pivot_root_the_task_has_a_root_of_its_own_all_the_same() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut driven = Driven::new(
        &world,
        Kind::Exec,
        &["facts", ",", "list", "/", ",", "list", "/.."],
    );
    driven.operate("no_pivot_root", true.into());
    let lines = driven.run().exited(0).lines();
    let roots: Vec<_> = lines[0]["mounts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|mount| mount["target"] == "/")
        .collect();
    assert_eq!(roots.len(), 1, "one mount is the root: {roots:?}");
    for listed in &lines[1..] {
        let names = strings(&listed["names"]);
        assert!(names.contains(&"local".to_owned()), "{names:?}");
        for path in ONLY_ON_THE_RAMDISK {
            assert!(
                !names.contains(&path[1..].to_owned()),
                "{path} in {names:?}"
            );
        }
    }
}

#[test]
fn with_no_pivot_root_the_ramdisk_cannot_be_reached() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for user in ["nobody", "root"] {
        for path in ONLY_ON_THE_RAMDISK {
            assert!(std::path::Path::new(path).exists(), "{path}");
            let around = format!("/proc/1/root{path}");
            let up = format!("/../../..{path}");
            let mut driven = Driven::new(
                &world,
                Kind::Exec,
                &["read", path, ",", "read", &around, ",", "read", &up],
            );
            user.clone_into(&mut driven.task.user);
            driven.operate("no_pivot_root", true.into());
            let lines = driven.run().exited(0).lines();
            let met: Vec<_> = lines.iter().map(|line| line["errno"].as_i64()).collect();
            assert!(
                met.iter()
                    .all(|errno| matches!(errno, Some(ENOENT | EPERM | EACCES))),
                "{user} {path}: {met:?}"
            );
        }
    }
}

#[test]
fn a_command_enters_a_task_that_has_no_pivot_root() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut driven = Driven::new(&world, Kind::Exec, &["say", "up", ",", "sleep", "600"]);
    driven.operate("no_pivot_root", true.into());
    let live = driven.start();
    let _ = live.wait_for_stdout("up");
    let outcome = live.enter(&["/bin/ls", "/"]).exited(0);
    assert!(
        outcome.stdout.contains("local") && !outcome.stdout.contains("overlay.ko"),
        "{outcome}"
    );
}

#[test]
fn exec2_needs_no_pivot_root() {
    if !require(NEEDS) || !require(&[Need::Landlock]) {
        return;
    }
    let world = World::shared();
    let met = crate::errnos(
        &world,
        &world.job("exec2", &["read", "/init", ",", "list", "/"]),
    );
    assert_eq!(met, [Some(EACCES); 2]);
}
