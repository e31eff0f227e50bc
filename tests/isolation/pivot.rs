//! How the root of an `exec` task becomes `/`, by pivot_root(2) or with `no_pivot_root`, and that there is no way back out of it.
use driver::Kind;
use serde_json::{Value, json};
use suite::need::require;
use suite::{Driven, World};

use crate::{NEEDS, tries};

/// Both ways.
const WAYS: [bool; 2] = [false, true];

/// What differs from run to run, whatever the way.
const FLEETING: [&str; 9] = [
    "cgroups",
    "descriptors",
    "env",
    "cgroup",
    "limits",
    "mounts",
    "namespaces",
    "sid",
    "pgid",
];

const EPERM: Option<i64> = Some(1);
const EACCES: Option<i64> = Some(13);

fn driven<'a>(world: &'a World, way: bool, args: &[&str]) -> Driven<'a> {
    let mut driven = Driven::new(world, Kind::Exec, args);
    driven.operate("no_pivot_root", way.into());
    driven
}

/// Mount points with type and options, in order; ids and sources are each run's own.
fn mounts(facts: &Value) -> Vec<(Value, Value, Value, Value)> {
    let part = |mount: &Value, name: &str| mount[name].clone();
    let all = facts["mounts"].as_array().unwrap().iter();
    all.map(|mount| {
        (
            part(mount, "target"),
            part(mount, "fstype"),
            part(mount, "options"),
            part(mount, "propagation"),
        )
    })
    .map(|(target, fstype, options, mut propagation)| {
        // The number of a peer group differs.
        if let Some(list) = propagation.as_array_mut() {
            for item in list {
                *item = json!(item.as_str().unwrap().split(':').next());
            }
        }
        (target, fstype, options, propagation)
    })
    .collect()
}

#[test]
fn without_pivot_root_a_task_sees_what_it_sees_with_it() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let facts = WAYS.map(|way| driven(&world, way, &["facts"]).run().exited(0).line());
    assert_eq!(mounts(&facts[0]), mounts(&facts[1]));
    let lasting = |facts: &Value| {
        let mut facts = facts.clone();
        for name in FLEETING {
            facts.as_object_mut().unwrap().remove(name);
        }
        facts
    };
    assert_eq!(lasting(&facts[0]), lasting(&facts[1]));
}

#[test]
fn no_second_chroot_leads_out_of_the_root() {
    if !require(tries::NEEDS) {
        return;
    }
    let world = World::shared();
    for way in WAYS {
        for user in ["root", "nobody"] {
            // CAP_SYS_CHROOT is among the defaults.
            for verb in ["escape", "escape-by-descriptor"] {
                let mut task = tries::exec(&world, &[verb, "/tmp/below"]);
                task.operate("no_pivot_root", way.into()).task.user = user.into();
                let line = tries::lines(task.run()).remove(0);
                assert_eq!(line["ok"], json!(true), "{way} {user} {verb}: {line}");
                let mut names: Vec<_> =
                    line["value"].as_str().unwrap().split_whitespace().collect();
                names.sort_unstable();
                let root = driven(&world, way, &["facts"]).run().exited(0).line();
                assert_eq!(json!(names), root["root"], "{way} {user} {verb}");
            }
        }
    }
}

#[test]
fn parents_of_the_root_and_links_of_procfs_lead_to_the_root() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for way in WAYS {
        let words = [
            "facts",
            ",",
            "list",
            "/..",
            ",",
            "list",
            "/../../../..",
            ",",
            "list",
            "/proc/self/root/..",
            ",",
            "list",
            "/proc/1/root/../..",
            ",",
            "list",
            "/proc/self/cwd/..",
            ",",
            "list",
            "/proc/thread-self/root/",
        ];
        let mut task = driven(&world, way, &words);
        task.task.user = "root".into();
        let lines = task.run().exited(0).lines();
        for line in &lines[1..] {
            assert_eq!(line["names"], lines[0]["root"], "{way}: {line}");
        }
    }
}

#[test]
fn the_hosts_namespaces_cannot_be_joined_nor_mounts_be_changed() {
    if !require(tries::NEEDS) {
        return;
    }
    let world = World::shared();
    let attempts = [
        "umount",
        "/",
        ",",
        "umount",
        "/proc",
        ",",
        "umount",
        "/dev",
        ",",
        "umount",
        "/proc/sys",
        ",",
        "remount",
        "/proc/sys",
        ",",
        "remount",
        "/sys",
        ",",
        "remount",
        "/dev",
        ",",
        "bind",
        "/local",
        "/proc/sys",
        ",",
        "mount",
        "proc",
        "/local",
        ",",
        "mount",
        "sysfs",
        "/local",
        ",",
        "mount",
        "tmpfs",
        "/local",
        ",",
        "join",
        "/proc/self/ns/mnt",
        ",",
        "join",
        "/proc/self/ns/pid",
        ",",
        "handle",
    ];
    let count = attempts.iter().filter(|word| **word == ",").count() + 1;
    for way in WAYS {
        for user in ["root", "nobody"] {
            let mut task = tries::exec(&world, &attempts);
            task.operate("no_pivot_root", way.into()).task.user = user.into();
            let met = tries::errnos(&tries::lines(task.run()));
            assert_eq!(met.len(), count);
            assert!(
                met.iter().all(|errno| [EPERM, EACCES].contains(errno)),
                "{way} {user}: {met:?}"
            );
        }
    }
}
