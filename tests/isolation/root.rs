//! The root of an `exec` task: a view of the host made of mounts, writable, and never the host itself.
use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use suite::need::require;
use suite::{Job, World};

use crate::{EXEC_NEEDS, errnos, facts, strings};

/// What every root holds.
const ALWAYS: [&str; 7] = ["alloc", "dev", "local", "proc", "secrets", "sys", "tmp"];

/// What it shows of the host, where the host has it: Nomad's default `chroot_env` (`run` for two directories of resolvers).
const OF_THE_HOST: [&str; 8] = ["bin", "etc", "lib", "lib32", "lib64", "run", "sbin", "usr"];

/// A minimal `/dev`.
const DEV: [&str; 15] = [
    "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin",
    "stdout", "tty", "urandom", "zero",
];

/// Mount point, type, and options that it must have.
const MOUNTS: [(&str, &str, &[&str]); 6] = [
    ("/dev", "tmpfs", &["nosuid"]),
    ("/proc", "proc", &["nosuid", "nodev", "noexec"]),
    ("/dev/pts", "devpts", &["nosuid", "noexec"]),
    ("/dev/shm", "tmpfs", &["nosuid", "nodev", "noexec"]),
    ("/dev/mqueue", "mqueue", &["nosuid", "nodev", "noexec"]),
    ("/sys", "sysfs", &["ro", "nosuid", "nodev", "noexec"]),
];

const ENOENT: i64 = 2;
const EROFS: i64 = 30;

#[test]
fn it_holds_what_chroot_env_names_and_nothing_else() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let facts = facts(&world, &world.job("exec", &[]));
    let names: BTreeSet<_> = strings(&facts["root"]).into_iter().collect();
    let allowed = ALWAYS
        .iter()
        .chain(&OF_THE_HOST)
        .map(|&name| name.to_owned())
        .collect();
    assert_eq!(
        names.difference(&allowed).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "more than there should be"
    );
    for name in ALWAYS.into_iter().chain(
        OF_THE_HOST
            .into_iter()
            .filter(|name| *name != "run" && Path::new("/").join(name).exists()),
    ) {
        assert!(names.contains(name), "no /{name} in {names:?}");
    }
}

#[test]
fn the_rest_of_the_host_is_not_there() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let canary = world.directory().join("canary");
    std::fs::write(&canary, "secret").unwrap();
    let job = world.job(
        "exec",
        &[
            "read",
            canary.to_str().unwrap(),
            ",",
            "list",
            "/root",
            ",",
            "list",
            "/home",
            ",",
            "list",
            "/var/lib",
        ],
    );
    assert_eq!(errnos(&world, &job.user("root")), [Some(ENOENT); 4]);
}

#[test]
fn dev_is_minimal() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    assert_eq!(strings(&facts(&world, &world.job("exec", &[]))["dev"]), DEV);
}

#[test]
fn kernel_file_systems_are_mounted_with_care() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let facts = facts(&world, &world.job("exec", &[]));
    for (target, fstype, options) in MOUNTS {
        let mount = mount(&facts, target);
        assert_eq!(mount["fstype"], json!(fstype), "{mount}");
        let missing: Vec<_> = options
            .iter()
            .filter(|option| !strings(&mount["options"]).contains(&(**option).to_owned()))
            .collect();
        assert_eq!(missing, Vec::<&&str>::new(), "options of {mount}");
    }
}

/// The topmost mount at a place.
fn mount<'a>(facts: &'a Value, target: &str) -> &'a Value {
    let mounts = facts["mounts"].as_array().unwrap();
    mounts
        .iter()
        .rev()
        .find(|mount| mount["target"] == target)
        .unwrap_or_else(|| panic!("nothing is mounted at {target}"))
}

#[test]
fn what_the_kernel_tells_about_the_host_is_masked() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let lines = world
        .run(
            &world
                .job(
                    "exec",
                    &["read", "/proc/kcore", ",", "list", "/sys/firmware"],
                )
                .user("root"),
        )
        .exited(0)
        .lines();
    if Path::new("/proc/kcore").exists() {
        assert_eq!(lines[0]["bytes"], json!(0), "{}", lines[0]);
    }
    if Path::new("/sys/firmware").exists() {
        assert_eq!(lines[1]["names"], json!([]), "{}", lines[1]);
    }
}

#[test]
fn the_kernel_cannot_be_tuned() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    // Not every kernel has every one.
    let files = [
        "/proc/sys/kernel/hostname",
        "/proc/sysrq-trigger",
        "/proc/irq/default_smp_affinity",
    ];
    for file in files.into_iter().filter(|file| Path::new(file).exists()) {
        // Opened for writing and nothing written.
        let job = world.job("exec", &["write", file]).user("root");
        assert_eq!(errnos(&world, &job), [Some(EROFS)], "{file}");
    }
    let job = world.job("exec", &["mkdir", "/sys/x"]).user("root");
    assert_eq!(errnos(&world, &job), [Some(EROFS)]);
}

#[test]
fn root_may_write_everywhere_and_the_host_never_changes() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let canaries = [world.canary(), world.canary(), world.canary()];
    let [written, changed, removed] = canaries.each_ref().map(|canary| canary.path());
    let new = ["/etc", "/usr/bin"]
        .map(|directory| format!("{directory}/encamp-new-{}", std::process::id()));
    let job = world.job(
        "exec",
        &[
            "write", written, "x", ",", "chmod", changed, "600", ",", "unlink", removed, ",",
            "create", &new[0], ",", "create", &new[1],
        ],
    );
    assert_eq!(errnos(&world, &job.user("root")), [None; 5]);
    canaries
        .iter()
        .for_each(suite::binaries::Canary::assert_untouched);
    for path in new {
        assert!(!Path::new(&path).exists(), "{path} is on the host");
    }
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let script = "test -e /usr/local/mark && test -e /local/mark && exit 7; touch /usr/local/mark /local/mark; exit 1";
    let job = Job::new("exec", "/bin/sh", &["-c", script])
        .user("root")
        .attempts(1);
    let _ = world.run(&job).exited(7);
    assert!(
        !Path::new("/usr/local/mark").exists(),
        "the mark is on the host"
    );
}

#[test]
fn the_tasks_own_directories_are_writable_for_nobody() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let job = world.job(
        "exec",
        &[
            "create",
            "/alloc/x",
            ",",
            "create",
            "/local/x",
            ",",
            "create",
            "/secrets/x",
            ",",
            "create",
            "/tmp/x",
        ],
    );
    assert_eq!(errnos(&world, &job), [None; 4]);
}

#[test]
fn a_command_is_found_below_the_root_by_its_bare_name() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    let outcome = world.run(&Job::new("exec", "echo", &["found"])).exited(0);
    assert_eq!(outcome.stdout, "found\n");
}

#[test]
fn a_command_that_is_not_there_exits_127_and_is_named() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in crate::DRIVERS {
        let outcome = world
            .run(&Job::new(driver, "/bin/encamp-no-such-command", &[]))
            .exited(127);
        assert!(
            outcome.stderr.contains("encamp-no-such-command"),
            "{outcome}"
        );
        assert_eq!(outcome.stdout, "");
    }
}

#[test]
fn the_working_directory_is_the_root() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    assert_eq!(facts(&world, &world.job("exec", &[]))["cwd"], json!("/"));
}
