//! The same job through both faces, given the same ids, directories, user, environment and cgroup: equal tasks, equal descriptions, equal
//! facts, equal ends; for each example and each job of `tests/golden/jobs`.
//!
//! ```text
//! job file ─► client ─────────────────────────────► TaskConfig ─► Spec ─► facts, end     the command line's way
//!    └──────► Nomad's messages ─► bytes ─► plugin ─► TaskConfig ─► Spec ─► facts, end     the plugin's
//! ```
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod agent;
mod compare;
mod facts;
mod ground;
mod mutate;

use std::sync::{Mutex, PoisonError};

use driver::{Driver, TaskConfig};
use suite::binaries::Probe;
use suite::need::require;
use suite::{JobFile, Need, Site, faces};

use ground::Ground;

/// What the tests with real tasks need.
const NEEDS: &[Need] = &[Need::Root, Need::Cgroup, Need::Landlock];

/// Exit code and signal of each task, so that two that fail alike are not taken for two that conform.
const ENDS: &[(&str, i32, i32)] = &[
    ("capabilities", 0, 0),
    ("capabilities-few", 0, 0),
    ("cat", 0, 0),
    ("constraint", 0, 0),
    ("env", 0, 0),
    ("env-exec", 0, 0),
    ("exec-host-namespaces", 3, 0),
    ("exec-named-user", 0, 0),
    ("exec-root", 0, 0),
    ("exec-signal", 9, 0),
    ("exec2-interpolation", 0, 0),
    ("exec2-named-user", 143, 15),
    ("exec2-root", 0, 0),
    ("exec2-unveil", 1, 0),
    ("exit", 7, 0),
    ("hello", 0, 0),
    ("lifecycle.prepare", 0, 0),
    ("lifecycle.tidy", 1, 0),
    ("modes", 0, 0),
    ("ports", 0, 0),
    ("sleep", 130, 2),
    ("sleep-1", 0, 0),
    ("sleep-exec2", 130, 2),
    ("volumes", 0, 0),
];

/// Tasks that come to no end of their own before a client has made their files or run the tasks beside them.
const NEED_A_CLIENT: &[&str] = &[
    "artifact",
    "http",
    "java.compile",
    "java.main",
    "lifecycle.clock",
    "lifecycle.count",
    "lifecycle.watch",
    "nginx",
    "webservice",
];

/// How often two runs are repeated because the host's mounts changed under them.
const REPEATS: usize = 20;

/// The two runs of one job have one name for everything, so there is one run at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// A driver and what it is handed, by each way.
type Ways = [(Driver, TaskConfig); 2];

fn ways(file: &JobFile, site: &Site) -> Ways {
    let ours = faces::by_command_line(file, site);
    let theirs = agent::by_plugin(file, site, &ours.1.env);
    [ours, theirs]
}

/// Names only: nothing is made, and no name is looked up but the user's.
fn site() -> Site {
    Site {
        alloc_id: "0af996ed-1111-2222-3333-444444444444".to_owned(),
        data_dir: "/var/lib/encamp-conformance".into(),
        run_dir: "/run/encamp-conformance".into(),
        cgroup: "/sys/fs/cgroup/encamp.slice/share.slice/conformance.scope".into(),
    }
}

#[test]
fn both_faces_hand_over_the_same_task() {
    for file in JobFile::all() {
        let [(_, ours), (_, theirs)] = ways(&file, &site());
        let found = compare::tasks(file.kind.task_options(), &ours, &theirs);
        assert!(found.is_empty(), "{}:\n{}", file.name, found.join("\n"));
    }
}

#[test]
fn both_faces_describe_the_same_process() {
    for file in JobFile::all() {
        let [ours, theirs] =
            ways(&file, &site()).map(|(driver, task)| driver.lower(&task).unwrap());
        let found = compare::specs(&ours, &theirs);
        assert!(found.is_empty(), "{}:\n{}", file.name, found.join("\n"));
    }
}

#[test]
fn a_description_that_is_altered_in_one_place_is_another() {
    for file in JobFile::all() {
        let [(driver, task), _] = ways(&file, &site());
        let spec = driver.lower(&task).unwrap();
        let mutants = mutate::all(&spec);
        assert!(
            mutants.len() > 100,
            "{}: {} places",
            file.name,
            mutants.len()
        );
        for mutant in mutants {
            let found = compare::specs(&spec, &mutant.spec);
            assert!(
                !found.is_empty() && found.iter().all(|line| line.starts_with(&mutant.place)),
                "{}: {} was altered, found: {found:?}",
                file.name,
                mutant.place
            );
        }
    }
}

#[test]
fn a_message_that_is_altered_in_one_field_is_another_task() {
    for file in JobFile::all() {
        let (_, ours) = faces::by_command_line(&file, &site());
        for (field, message) in agent::altered(&file, &site(), &ours.env) {
            let escaped = agent::decode(&message).is_ok_and(|theirs| {
                compare::tasks(file.kind.task_options(), &ours, &theirs).is_empty()
            });
            assert!(!escaped, "{}: {field} was altered, unseen", file.name);
        }
    }
}

#[test]
fn both_faces_tasks_see_the_same() {
    if !require(NEEDS) {
        return;
    }
    let probe = Probe::install();
    for file in JobFile::all() {
        let file = facts::asking(file, probe.path());
        let found = differences(&file, |ran| facts::of(&ran.stdout));
        assert!(found.is_empty(), "{}:\n{}", file.name, found.join("\n"));
    }
}

#[test]
fn both_faces_tasks_end_alike() {
    if !require(NEEDS) {
        return;
    }
    let alone = |file: &JobFile| !NEED_A_CLIENT.contains(&file.name.as_str());
    for file in JobFile::all().into_iter().filter(alone) {
        let wanted = ENDS.iter().find(|(name, ..)| *name == file.name);
        let (_, code, signal) = wanted.unwrap_or_else(|| panic!("how does {} end?", file.name));
        let found = differences(&file, |ran| {
            let text = || format!("{}: {ran:?}", file.name);
            assert_eq!((ran.end.0, ran.end.1), (*code, *signal), "{}", text());
            serde_json::json!([ran.end, ran.stdout, ran.stderr])
        });
        assert!(found.is_empty(), "{}:\n{}", file.name, found.join("\n"));
    }
}

/// Where two starts of a task, one by each way, differ. A change of the host's own mounts in between is no difference of the faces.
fn differences(file: &JobFile, see: impl Fn(&ground::Ran) -> serde_json::Value) -> Vec<String> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut found = Vec::new();
    for _ in 0..REPEATS {
        let ground = Ground::new(file);
        let before = facts::host_mounts();
        let [ours, theirs] =
            ways(file, &ground.site).map(|(driver, task)| ground.run(file, &driver, &task));
        found = compare::values(&see(&ours), &see(&theirs));
        if ours.limits.is_empty() {
            found.push("no limit of a cgroup was read".to_owned());
        }
        if ours.limits != theirs.limits || ours.refusals != theirs.refusals {
            found.push(format!(
                "{:?} {:?} and {:?} {:?}",
                ours.limits, ours.refusals, theirs.limits, theirs.refusals
            ));
        }
        if found.is_empty() || facts::host_mounts() == before {
            break;
        }
    }
    found
}
