//! namespaces(7): which are the task's own, and what that hides.
use serde_json::json;
use suite::World;
use suite::apart::Apart;
use suite::need::require;

use crate::{DRIVERS, EXEC_NEEDS, NEEDS, facts};

/// Of its own.
const PRIVATE: [&str; 3] = ["ipc", "mnt", "pid"];

/// The host's, unless a network or a host name is asked for. No cgroup namespace: jobs read the real path.
const SHARED: [&str; 5] = ["cgroup", "net", "time", "user", "uts"];

fn of_the_host(name: &str) -> String {
    std::fs::read_link(format!("/proc/self/ns/{name}"))
        .unwrap()
        .display()
        .to_string()
}

#[test]
fn mount_pid_and_ipc_namespaces_are_its_own_and_the_others_the_hosts() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let facts = facts(&world, &world.job(driver, &[]));
        for name in PRIVATE {
            assert_ne!(
                facts["namespaces"][name],
                json!(of_the_host(name)),
                "{driver} {name}"
            );
        }
        for name in SHARED {
            assert_eq!(
                facts["namespaces"][name],
                json!(of_the_host(name)),
                "{driver} {name}"
            );
        }
    }
}

/// As systemd makes it: where the tree is shared, a clone of a mount is a peer of it until it is made private.
#[test]
fn tasks_run_in_a_shared_tree_and_mount_nothing_into_it() {
    if !require(EXEC_NEEDS) {
        return;
    }
    Apart::Shared.run(|world| {
        let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let before = mounts();
        for driver in DRIVERS {
            let facts = facts(world, &world.job(driver, &[]));
            assert_ne!(facts["namespaces"]["mnt"], json!(of_the_host("mnt")));
        }
        // What others had mounted before may be gone by now.
        let after = mounts();
        let more: Vec<_> = after
            .lines()
            .filter(|line| !before.contains(line))
            .collect();
        assert_eq!(more, Vec::<&str>::new());
    });
}

#[test]
fn two_tasks_share_no_namespace_of_their_own() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let job = world.job(driver, &["facts", ",", "sleep", "3"]);
        let (first, second) = (world.start(&job), world.start(&job));
        let facts = [
            first.wait().exited(0).line(),
            second.wait().exited(0).line(),
        ];
        for name in PRIVATE {
            assert_ne!(
                facts[0]["namespaces"][name], facts[1]["namespaces"][name],
                "{driver} {name}"
            );
        }
    }
}

#[test]
fn under_exec_the_task_is_pid_1_and_alone() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let facts = facts(&world, &world.job("exec", &[]));
    assert_eq!(
        (&facts["pid"], &facts["ppid"], &facts["pids"]),
        (&json!(1), &json!(0), &json!([1])),
        "{facts}"
    );
}

#[test]
fn under_exec2_the_task_is_the_child_of_an_init_and_sees_only_that() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let facts = facts(&world, &world.job("exec2", &[]));
    assert_eq!(facts["ppid"], json!(1), "{facts}");
    assert_eq!(facts["pids"], json!([1, facts["pid"]]), "{facts}");
}

#[test]
fn the_task_has_a_session_and_no_terminal() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let facts = facts(&world, &world.job(driver, &[]));
        assert_ne!(
            facts["sid"],
            json!(0),
            "{driver}: the session is one from outside"
        );
        assert_eq!(facts["tty_nr"], json!(0), "{driver}");
    }
}

#[test]
fn pid_mode_host_shows_the_hosts_processes() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let facts = facts(
        &world,
        &world.job("exec", &[]).config("pid_mode = \"host\""),
    );
    assert_eq!(facts["namespaces"]["pid"], json!(of_the_host("pid")));
    let own = std::process::id();
    assert!(
        facts["pids"].as_array().unwrap().contains(&json!(own)),
        "the test's own process {own} is not seen"
    );
}

#[test]
fn ipc_mode_host_shares_the_hosts_queues() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let facts = facts(
        &world,
        &world.job("exec", &[]).config("ipc_mode = \"host\""),
    );
    assert_eq!(facts["namespaces"]["ipc"], json!(of_the_host("ipc")));
}

#[test]
fn what_the_task_leaves_behind_ends_with_it() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::alone();
    for driver in DRIVERS {
        let outcome = world
            .run(&world.job(driver, &["fork-orphans", "3", "600"]))
            .exited(0);
        assert_eq!(
            outcome.line()["pids"].as_array().unwrap().len(),
            3,
            "{outcome}"
        );
        let left = suite::host::pids_named(suite::binaries::PROBE_PREFIX);
        assert_eq!(left, [], "{driver}");
    }
}
