//! An `exec` task as the attacker: what once went wrong in software of this kind, tried on this one.
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use driver::Kind;
use driver::task_config::Mount;
use rustix::fs::{AtFlags, CWD, RenameFlags, Uid};
use serde_json::json;
use suite::need::require;
use suite::{Driven, Running, World};

use crate::{NEEDS, tries};

/// A uid that a task has.
const NOBODY: u32 = 65534;

/// What software around Nomad keeps secrets in (GH-24540).
const SECRETS: [&str; 14] = [
    "CONSUL_HTTP_TOKEN",
    "CONSUL_LICENSE",
    "NOMAD_TOKEN",
    "NOMAD_LICENSE",
    "VAULT_TOKEN",
    "VAULT_LICENSE_PATH",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "AZURE_CLIENT_SECRET",
    "SSH_AUTH_SOCK",
    "LD_PRELOAD_X",
    "ENCAMP_CANARY_X",
];

/// Descriptors that a process may have, from none to enough.
const DESCRIPTORS: [u32; 17] = [3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 24, 32, 48, 64, 128];

/// Starts while a link flips.
const STARTS: usize = 30;

/// Mode, owner, time of the last change of what is in it, content.
type Facts = (u32, u32, (i64, i64), Vec<u8>);

/// A directory of root's that nothing may change, with a file in it.
struct Outside {
    path: PathBuf,
    before: BTreeMap<PathBuf, Facts>,
}

impl Outside {
    fn new(root: &Path) -> Outside {
        let path = root.join("outside");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        fs::write(path.join("file"), "canary").unwrap();
        let mut outside = Outside {
            path,
            before: BTreeMap::new(),
        };
        outside.before = outside.look();
        outside
    }

    fn look(&self) -> BTreeMap<PathBuf, Facts> {
        let facts = |path: &Path| {
            let found = fs::symlink_metadata(path).unwrap();
            let bytes = if found.is_file() {
                fs::read(path).unwrap()
            } else {
                vec![]
            };
            let time = (found.mtime(), found.mtime_nsec());
            (found.mode(), found.uid(), time, bytes)
        };
        let inner = fs::read_dir(&self.path)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        inner
            .chain([self.path.clone()])
            .map(|path| (path.clone(), facts(&path)))
            .collect()
    }

    #[track_caller]
    fn assert_untouched(&self, what: &str) {
        assert_eq!(self.look(), self.before, "{what}");
    }
}

/// A link as a task could have made it.
fn link(target: &Path, at: &Path) {
    symlink(target, at).unwrap();
    rustix::fs::chownat(
        CWD,
        at,
        Some(Uid::from_raw(NOBODY)),
        None,
        AtFlags::SYMLINK_NOFOLLOW,
    )
    .unwrap();
}

/// Ends what another thread does, however this one ends.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Exchanges two names over and over, with time between for others on this host: each rename holds up every walk of a path.
fn flip(one: &Path, other: &Path, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
        std::thread::sleep(std::time::Duration::from_micros(100));
    }
}

/// Starts it if it can be started, and lets it end.
fn start(task: &Driven<'_>) -> bool {
    match task.try_start() {
        Ok(live) => {
            let _ = live.wait();
            true
        }
        Err(_) => false,
    }
}

#[test]
fn whoever_joins_a_root_task_shows_it_neither_descriptors_nor_its_program() {
    if !require(tries::NEEDS) {
        return;
    }
    let world = World::shared();
    let mut task = tries::exec(&world, &["watch", "/local/enough"]);
    task.task.user = "root".into();
    let live = task.start();
    for _ in 0..20 {
        let _ = live.enter(&["/local/tries"]);
    }
    fs::write(task.task_dir().join("local/enough"), "").unwrap();
    let line = tries::lines(live.wait()).remove(0);
    assert_eq!(
        (&line["ok"], &line["value"]),
        (&json!(true), &json!("opened=0 traced=0 ")),
        "{line}"
    );
}

#[test]
fn what_root_would_make_or_open_is_never_made_or_opened_behind_a_link() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for name in [
        ".encamp",
        ".encamp/upper",
        ".encamp/work",
        ".encamp/root",
        ".encamp/upper/usr",
        ".encamp/work/usr",
        "alloc",
        "local",
        "secrets",
        "tmp",
    ] {
        for to in ["", "file"] {
            let task = Driven::new(&world, Kind::Exec, &["facts"]);
            let outside = Outside::new(task.root());
            let place = task.task_dir().join(name);
            let _ = fs::remove_dir_all(&place);
            for directory in [".encamp", ".encamp/upper", ".encamp/work"] {
                if name.starts_with(directory) && name != directory {
                    fs::create_dir_all(task.task_dir().join(directory)).unwrap();
                    fs::set_permissions(
                        task.task_dir().join(directory),
                        Permissions::from_mode(0o700),
                    )
                    .unwrap();
                }
            }
            link(&outside.path.join(to), &place);
            let started = start(&task);
            outside.assert_untouched(&format!("{name} -> outside/{to}"));
            // `alloc` is not what is bound there, and for a layer that cannot be had there is another place.
            let elsewhere = name == "alloc" || name.ends_with("/usr");
            assert!(!started || elsewhere, "{name} -> outside/{to} was followed");
        }
    }
}

#[test]
fn what_root_would_write_is_never_written_through_a_hard_link() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for name in [
        ".encamp",
        "alloc",
        "local",
        "secrets",
        "tmp",
        "executor.out",
        "resolv.conf",
        "dev",
        "etc",
        "usr",
    ] {
        let task = Driven::new(&world, Kind::Exec, &["exit", "0"]);
        let outside = Outside::new(task.root());
        let place = task.task_dir().join(name);
        let _ = fs::remove_dir_all(&place);
        fs::hard_link(outside.path.join("file"), &place).unwrap();
        let _ = start(&task);
        outside.assert_untouched(name);
    }
}

#[test]
fn a_log_pipe_that_became_a_link_is_refused() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for to in ["file", ""] {
        let mut task = Driven::new(&world, Kind::Exec, &["say", "leak"]);
        let outside = Outside::new(task.root());
        let pipe = task.root().join("swapped.fifo");
        link(&outside.path.join(to), &pipe);
        task.task.stdout_path = pipe;
        task.task.stderr_path = "/dev/null".into();
        let driver = task.driver();
        assert!(driver.start(&task.task).is_err());
        outside.assert_untouched("the pipe");
    }
}

#[test]
fn links_in_the_place_of_proc_sys_and_dev_lead_nothing_astray() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for below in ["", ".encamp/root"] {
        for name in ["proc", "sys", "dev"] {
            for to in ["/outside", "..", "/tmp"] {
                let mut task = Driven::new(
                    &world,
                    Kind::Exec,
                    &[
                        "stat",
                        "/proc/self",
                        ",",
                        "stat",
                        "/dev/null",
                        ",",
                        "read",
                        "/proc/self/comm",
                    ],
                );
                task.task.user = "root".into();
                let outside = Outside::new(task.root());
                let directory = task.task_dir().join(below);
                fs::create_dir_all(&directory).unwrap();
                fs::set_permissions(
                    task.task_dir().join(".encamp"),
                    Permissions::from_mode(0o700),
                )
                .ok();
                let to = if to == "/outside" {
                    outside.path.clone()
                } else {
                    to.into()
                };
                link(&to, &directory.join(name));
                if let Ok(live) = task.try_start() {
                    let lines = live.wait().exited(0).lines();
                    assert_eq!(lines[1]["rdev"], json!(0x103), "{below}/{name} -> {to:?}");
                    assert!(
                        lines[2]["text"]
                            .as_str()
                            .unwrap()
                            .starts_with("encamp-probe"),
                        "{below}/{name} -> {to:?}: {}",
                        lines[2]
                    );
                }
                outside.assert_untouched(&format!("{below}/{name} -> {}", to.display()));
            }
        }
    }
}

#[test]
fn a_mount_point_that_flips_between_a_directory_and_a_link_never_leads_out() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut task = Driven::new(&world, Kind::Exec, &["facts"]);
    task.task.user = "root".into();
    let outside = Outside::new(task.root());
    let volume = task.root().join("volume");
    fs::create_dir_all(volume.join("a/x")).unwrap();
    link(&outside.path, &volume.join("b"));
    let inner = task.root().join("inner");
    fs::create_dir(&inner).unwrap();
    task.task.mounts = [(&volume, "/vol"), (&inner, "/vol/a/x")]
        .map(|(host, at)| Mount {
            task_path: at.into(),
            host_path: host.clone(),
            ..Mount::default()
        })
        .into();
    let done = AtomicBool::new(false);
    let mut started = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| flip(&volume.join("a"), &volume.join("b"), &done));
        let _end = Ending(&done);
        for _ in 0..STARTS {
            if let Ok(live) = task.try_start() {
                started += 1;
                let facts = live.wait().exited(0).line();
                let root = crate::strings(&facts["root"]);
                assert!(!root.contains(&"home".to_owned()), "{root:?}");
            }
        }
    });
    outside.assert_untouched("the link's target");
    assert!(fs::read_dir(&inner).unwrap().next().is_none());
    let ours = task.root().to_str().unwrap();
    let left = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!left.contains(ours), "after {started} of {STARTS} starts");
}

#[test]
fn no_secret_of_the_callers_environment_reaches_a_task() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut command = world.command(&world.job(
        "exec",
        &["read", "/proc/self/environ", ",", "exec", "/usr/bin/env"],
    ));
    for name in SECRETS {
        command.env(name, "secret-of-the-caller");
    }
    let outcome = Running::start(&mut command).wait().exited(0);
    assert!(
        !outcome.stdout.contains("secret-of-the-caller"),
        "{outcome}"
    );
}

#[test]
fn with_too_few_descriptors_a_start_fails_cleanly_or_succeeds() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let run = world.command(&world.job("exec", &["say", "fine"]));
    let mut succeeded = 0;
    for limit in DESCRIPTORS {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", "ulimit -n \"$0\" && exec \"$@\""])
            .arg(limit.to_string());
        shell
            .arg(run.get_program())
            .args(run.get_args())
            .arg("--rm")
            .current_dir(world.directory());
        let outcome = Running::start(&mut shell).wait();
        match outcome.code {
            Some(0) => {
                succeeded += 1;
                assert_eq!(outcome.stdout, "fine\n", "{limit}\n{outcome}");
            }
            // The loader of a program without descriptors says so itself, with 127.
            Some(1 | 125 | 127) => assert_eq!(outcome.stdout, "", "{limit}\n{outcome}"),
            _ => panic!("{limit}\n{outcome}"),
        }
    }
    assert!(succeeded > 0, "never");
}
