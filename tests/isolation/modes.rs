//! `pid_mode` and `ipc_mode` of `exec`, and the operator's defaults for them: what each hides, and what each shows.
use driver::Kind;
use serde_json::json;
use suite::need::require;
use suite::{Driven, World};

use crate::{NEEDS, tries};

/// What the operator says, what the task says, and whether the namespace is the host's. Empty: not said.
const DECISIONS: [(&str, &str, bool); 6] = [
    ("", "", false),
    ("", "host", true),
    ("private", "", false),
    ("host", "", true),
    ("host", "private", false),
    ("private", "host", true),
];

/// Three things of System V by this key, and a POSIX queue by this name.
const KEY: &str = "987654";
const QUEUE: &str = "/encamp-suite-queue";

const ENOENT: Option<i64> = Some(2);
const ESRCH: Option<i64> = Some(3);
const EACCES: Option<i64> = Some(13);
const EPERM: Option<i64> = Some(1);

fn of_the_host(name: &str) -> String {
    let link = std::fs::read_link(format!("/proc/self/ns/{name}"));
    link.unwrap().display().to_string()
}

fn say<'a, 'b>(
    driven: &'b mut Driven<'a>,
    kind: &str,
    decision: (&str, &str, bool),
) -> &'b mut Driven<'a> {
    let (operator, task, _) = decision;
    if !operator.is_empty() {
        driven.operate(&format!("default_{kind}_mode"), operator.into());
    }
    driven.config(&format!("{kind}_mode"), task.into())
}

#[test]
fn a_task_decides_over_the_operators_default_and_the_two_do_not_mix() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for (index, pid) in DECISIONS.into_iter().enumerate() {
        let ipc = DECISIONS[(index + 1) % DECISIONS.len()];
        let mut driven = Driven::new(&world, Kind::Exec, &["facts"]);
        say(say(&mut driven, "pid", pid), "ipc", ipc);
        let facts = driven.run().exited(0).line();
        for (name, (.., shared)) in [("pid", pid), ("ipc", ipc)] {
            let own = facts["namespaces"][name] != json!(of_the_host(name));
            assert_eq!(own, !shared, "{name}, pid {pid:?}, ipc {ipc:?}");
        }
        let others = facts["pids"]
            .as_array()
            .unwrap()
            .contains(&json!(std::process::id()));
        assert_eq!(
            (facts["pid"] == json!(1), others),
            (!pid.2, pid.2),
            "{pid:?}"
        );
    }
}

#[test]
fn a_private_pid_namespace_hides_every_other_process_of_the_same_user() {
    if !require(tries::NEEDS) {
        return;
    }
    let world = World::shared();
    for user in ["nobody", "root"] {
        let mut victim = Driven::new(&world, Kind::Exec, &["say", "up", ",", "sleep", "60"]);
        victim.task.user = user.into();
        let live = victim.start();
        let _ = live.wait_for_stdout("up");
        let pid = live.pid().to_string();
        let mut attacker = tries::exec(&world, &["seize", &pid]);
        attacker.task.user = user.into();
        assert_eq!(
            tries::errnos(&tries::lines(attacker.run())),
            [ESRCH],
            "{user}"
        );
        let (environ, root) = (format!("/proc/{pid}/environ"), format!("/proc/{pid}/root/"));
        let words = [
            "read", &environ, ",", "list", &root, ",", "kill", &pid, "KILL",
        ];
        let mut attacker = Driven::new(&world, Kind::Exec, &words);
        attacker.task.user = user.into();
        let met = tries::errnos(&tries::lines(attacker.run()));
        assert_eq!(met, [ENOENT, ENOENT, ESRCH], "{user}");
        let _ = live.stop();
    }
}

#[test]
fn with_the_hosts_pids_a_root_task_still_gets_at_nothing_of_a_process_with_more_capabilities() {
    if !require(tries::NEEDS) {
        return;
    }
    let world = World::shared();
    // This process has every capability that the host gives; the task has thirteen.
    let own = std::process::id().to_string();
    let paths =
        ["root/", "cwd/", "environ", "mem", "fd/0"].map(|name| format!("/proc/{own}/{name}"));
    let words = [
        "list", &paths[0], ",", "list", &paths[1], ",", "read", &paths[2], ",", "read", &paths[3],
        ",", "read", &paths[4],
    ];
    let mut attacker = Driven::new(&world, Kind::Exec, &words);
    attacker.config("pid_mode", "host".into()).task.user = "root".into();
    let met = tries::errnos(&tries::lines(attacker.run()));
    assert!(
        met.iter().all(|errno| [EACCES, EPERM].contains(errno)),
        "{met:?}"
    );
    let mut attacker = tries::exec(&world, &["seize", &own]);
    attacker.config("pid_mode", "host".into()).task.user = "root".into();
    assert_eq!(tries::errnos(&tries::lines(attacker.run())), [EPERM]);
}

#[test]
fn system_v_and_posix_objects_are_seen_where_the_ipc_namespace_is_shared_and_nowhere_else() {
    if !require(tries::NEEDS) {
        return;
    }
    let world = World::shared();
    let (see, make) = (
        ["ipc-see", KEY, ",", "mq-see", QUEUE],
        ["ipc-make", KEY, ",", "mq-make", QUEUE, ",", "sleep", "60"],
    );
    let seen = |mode: &str| {
        let mut task = tries::exec(&world, &see);
        task.config("ipc_mode", mode.into());
        tries::errnos(&tries::lines(task.run()))
    };
    let nothing = [ENOENT; 2];
    assert_eq!(tries::errnos(&tries::on_the_host(&see)), nothing, "before");
    let private = tries::exec(&world, &make);
    let private = private.start();
    let _ = private.wait_for_stdout("mq-make");
    assert_eq!(
        tries::errnos(&tries::on_the_host(&see)),
        nothing,
        "on the host"
    );
    assert_eq!(
        (seen("private"), seen("host")),
        (nothing.to_vec(), nothing.to_vec())
    );
    let _ = private.stop();
    let mut shared = tries::exec(&world, &make[..5]);
    shared.config("ipc_mode", "host".into());
    assert_eq!(tries::errnos(&tries::lines(shared.run())), [None; 2]);
    let found = (
        seen("private"),
        seen("host"),
        tries::errnos(&tries::on_the_host(&see)),
    );
    let _ = tries::on_the_host(&["ipc-remove", KEY, ",", "mq-remove", QUEUE]);
    assert_eq!(found, (nothing.to_vec(), vec![None; 2], vec![None; 2]));
}

#[test]
fn dev_shm_is_the_tasks_own_even_with_the_hosts_ipc_namespace() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let words = ["create", "/dev/shm/encamp-suite", "x", ",", "sleep", "60"];
    let mut first = Driven::new(&world, Kind::Exec, &words);
    first.config("ipc_mode", "host".into());
    let live = first.start();
    assert!(live.wait_for_stdout("create").contains("\"ok\":true"));
    let mut second = Driven::new(&world, Kind::Exec, &["list", "/dev/shm"]);
    second.config("ipc_mode", "host".into());
    assert_eq!(second.run().exited(0).line()["names"], json!([]));
    assert!(!std::path::Path::new("/dev/shm/encamp-suite").exists());
    let _ = live.stop();
}
