//! Environment, working directory and arguments of an `exec` task as its job and its client give them (`exec.md` §10 and §20.3).
use std::fs;
use std::os::unix::fs::symlink;

use driver::Kind;
use serde_json::json;
use suite::need::require;
use suite::{Driven, World};

use crate::NEEDS;

/// What the client hands over, and what the task has.
const VARIABLES: [(&str, &str, &str); 9] = [
    (
        "PATH",
        "/opt/bin:${PATH}",
        "/opt/bin:/usr/local/bin:/usr/bin:/bin",
    ),
    ("HOME", "/elsewhere", "/nonexistent"),
    ("USER", "root", "nobody"),
    ("LOGNAME", "root", "nobody"),
    ("CACHE", "${HOME}/cache", "/nonexistent/cache"),
    ("WHO", "${USER} ${LOGNAME}", "nobody nobody"),
    ("UNKNOWN", "${NOT_KNOWN} $PATH", "${NOT_KNOWN} $PATH"),
    ("LD_PRELOAD", "", ""),
    ("LINES", "a\nb\tc=d", "a\nb\tc=d"),
];

#[test]
fn the_users_own_names_win_and_references_to_the_hosts_are_filled_in() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut task = Driven::new(&world, Kind::Exec, &["facts"]);
    for (name, given, _) in VARIABLES {
        task.task.env.insert(name.into(), given.into());
    }
    let facts = task.run().exited(0).line();
    for (name, _, wanted) in VARIABLES {
        assert_eq!(facts["env"][name], json!(wanted), "{name}");
    }
    assert_eq!(
        facts["env"].as_object().unwrap().len(),
        VARIABLES.len(),
        "{}",
        facts["env"]
    );
    task.task.env.clear();
    let names: Vec<_> = task.run().exited(0).line()["env"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(
        names,
        ["HOME", "LOGNAME", "PATH", "USER"],
        "with none given"
    );
}

#[test]
fn what_no_environment_can_hold_is_named_before_anything_starts() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for (name, value, words) in [
        ("A", "b\0c", "the environment variable A holds a NUL byte"),
        ("A\0", "b", "holds a NUL byte"),
    ] {
        let mut task = Driven::new(&world, Kind::Exec, &["facts"]);
        task.task.env.insert(name.into(), value.into());
        let told = task.refused();
        assert!(told.contains(words), "{told}");
    }
    let mut task = Driven::new(&world, Kind::Exec, &["say", "a\0b"]);
    assert!(task.refused().contains("an argument holds a NUL byte"));
    let command = task.config("command", "/bin/a\0b".into()).refused();
    assert!(
        command.contains("a\0b") || command.contains("NUL"),
        "{command}"
    );
}

#[test]
fn work_dir_is_where_the_task_and_every_command_beside_it_begin() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut task = Driven::new(
        &world,
        Kind::Exec,
        &["facts", ",", "stat", ".", ",", "sleep", "60"],
    );
    symlink("/etc", task.task_dir().join("local/link")).unwrap();
    for (given, found) in [
        ("", "/"),
        ("/", "/"),
        ("/etc", "/etc"),
        ("/local", "/local"),
        ("/local/link", "/etc"),
        ("/local/../etc/.", "/etc"),
        ("/new/deep/er", "/new/deep/er"),
        ("/usr/local/new", "/usr/local/new"),
    ] {
        task.config("work_dir", given.into());
        let live = task.start();
        let text = live.wait_for_stdout("\"stat\"}\n");
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines[0]["cwd"], json!(found), "{given}");
        if given.contains("new") {
            let facts = (&lines[1]["mode"], &lines[1]["uid"], &lines[1]["gid"]);
            assert_eq!(facts, (&json!("40755"), &json!(0), &json!(0)), "{given}");
        }
        assert_eq!(
            live.enter(&["/bin/pwd", "-P"]).stdout,
            format!("{found}\n"),
            "{given}"
        );
        let _ = live.stop();
    }
    assert!(
        !std::path::Path::new("/new").exists() && !std::path::Path::new("/usr/local/new").exists()
    );
}

#[test]
fn a_work_dir_that_cannot_be_one_is_refused_and_leaves_the_host_alone() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut task = Driven::new(&world, Kind::Exec, &["list", "."]);
    let outside = task.root().join("outside");
    fs::create_dir(&outside).unwrap();
    let local = task.task_dir().join("local");
    symlink(&outside, local.join("absolute")).unwrap();
    symlink("../../../../outside", local.join("relative")).unwrap();
    symlink("/proc/self/root", local.join("magic")).unwrap();
    symlink("here", local.join("here")).unwrap();
    let told = task.config("work_dir", "a/b".into()).refused();
    assert_eq!(
        told,
        "failed driver config validation: work_dir must be absolute but got relative path \"a/b\""
    );
    let long = format!("/{}", "x".repeat(300));
    for path in [
        "/local/absolute",
        "/local/absolute/new",
        "/local/relative",
        "/local/magic",
        "/local/here",
        "/etc/passwd",
        "/etc/passwd/below",
        "/dev/null",
        "/proc/self/cwd",
        "/proc/self/fd/3",
        "/proc/1/root/tmp",
        "/dev/fd/3",
        "/proc/new",
        "/sys/new",
        "/dev/new",
        &long,
    ] {
        let told = task.config("work_dir", path.into()).refused();
        assert!(
            told.contains(&format!("change the directory to {path}")),
            "{path}: {told}"
        );
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn arguments_arrive_verbatim_and_the_name_is_the_path_inside() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let words = [
        "facts", "", "${HOME}", "$(id)", "*", "a b", "\n", "--", "ü", "\\",
    ];
    let mut task = Driven::new(&world, Kind::Exec, &[&["facts", ","], &words[..]].concat());
    task.task.user = "root".into();
    let outcome = task.run();
    let facts: serde_json::Value =
        serde_json::from_str(outcome.stdout.lines().next().unwrap()).unwrap();
    let argv = crate::strings(&facts["argv"]);
    assert_eq!(argv[3..], words);
    assert_eq!(
        (argv[0].as_str(), &facts["executable"]),
        (world.probe(), &json!(world.probe()))
    );
    assert_eq!(
        (&facts["umask"], &facts["cwd"]),
        (&json!(0o022), &json!("/"))
    );
}
