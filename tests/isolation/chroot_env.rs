//! What the root of an `exec` task shows of the host: the operator's list, links as links, writes that stay with the task.
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use driver::Kind;
use driver::options::Value;
use serde_json::json;
use suite::need::require;
use suite::{Apart, Driven, World};

use crate::{NEEDS, strings};

/// Nomad's default list (`exec.md` §8).
const DEFAULTS: [&str; 9] = [
    "/bin",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/run/resolvconf",
    "/run/systemd/resolve",
    "/sbin",
    "/usr",
];

/// Directories of a host that no task is shown.
const ABSENT: [&str; 12] = [
    "/home",
    "/root",
    "/var",
    "/opt",
    "/srv",
    "/mnt",
    "/media",
    "/boot",
    "/run/encamp",
    "/var/lib/encamp",
    "/lost+found",
    "/workspace",
];

const ENOENT: Option<i64> = Some(2);

fn roots(pairs: &[(&str, &str)]) -> Value {
    let pair = |(source, target): &(&str, &str)| ((*source).to_owned(), (*target).into());
    Value::Map(pairs.iter().map(pair).collect::<BTreeMap<_, _>>())
}

fn errnos(lines: &[serde_json::Value]) -> Vec<Option<i64>> {
    lines.iter().map(|line| line["errno"].as_i64()).collect()
}

/// What a write to a file would change of it.
fn facts(path: &Path) -> (u64, u32, u32, u64, i64, i64, Vec<u8>) {
    let found = fs::metadata(path).unwrap();
    let bytes = fs::read(path).unwrap_or_default();
    (
        found.ino(),
        found.mode(),
        found.uid(),
        found.nlink(),
        found.mtime(),
        found.ctime(),
        bytes,
    )
}

#[test]
fn links_and_directories_of_the_default_list_are_as_on_the_host() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut words = vec![];
    for path in DEFAULTS {
        words.extend(["stat", path, ","]);
    }
    let lines = Driven::new(&world, Kind::Exec, &words)
        .run()
        .exited(0)
        .lines();
    for (path, line) in DEFAULTS.iter().zip(&lines) {
        let Ok(host) = fs::symlink_metadata(path) else {
            assert_eq!(line["errno"].as_i64(), ENOENT, "{path}");
            continue;
        };
        let target = fs::read_link(path).ok().map(|to| to.display().to_string());
        assert_eq!(line["target"], json!(target), "{path}");
        assert_eq!(line["mode"], json!(format!("{:o}", host.mode())), "{path}");
        assert_eq!(
            (&line["uid"], &line["gid"]),
            (&json!(host.uid()), &json!(host.gid())),
            "{path}"
        );
    }
}

#[test]
fn nothing_else_of_the_host_is_there() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut words = vec![];
    for path in ABSENT {
        words.extend(["stat", path, ","]);
    }
    for user in ["root", "nobody"] {
        let mut task = Driven::new(&world, Kind::Exec, &words);
        task.task.user = user.into();
        assert_eq!(
            errnos(&task.run().exited(0).lines()),
            [ENOENT; ABSENT.len()],
            "{user}"
        );
    }
}

#[test]
fn an_operators_list_replaces_the_default_one() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut task = Driven::of(&world, Kind::Exec, "/tool/probe", &[]);
    let (tools, data) = (task.root().join("tools"), task.root().join("data"));
    for path in [&tools, &data] {
        fs::create_dir_all(path.join("deep")).unwrap();
    }
    fs::copy(suite::binaries::probe(), tools.join("probe")).unwrap();
    symlink("../data/file", tools.join("link")).unwrap();
    fs::write(data.join("file"), "data").unwrap();
    let file = data.join("file");
    task.operate(
        "chroot_env",
        roots(&[
            (tools.to_str().unwrap(), "/tool"),
            (data.to_str().unwrap(), "/data"),
            (file.to_str().unwrap(), "/single/file"),
            ("/no/such/directory", "/missing"),
        ]),
    );
    let words = [
        "facts",
        ",",
        "read",
        "/tool/link",
        ",",
        "read",
        "/single/file",
        ",",
        "stat",
        "/tool/link",
        ",",
        "stat",
        "/missing",
        ",",
        "write",
        "/single/file",
        "x",
        ",",
        "write",
        "/data/file",
        "x",
        ",",
        "read",
        "/data/file",
    ];
    task.args(&words).task.user = "root".into();
    let lines = task.run().exited(0).lines();
    let mut names = strings(&lines[0]["root"]);
    names.sort();
    assert_eq!(
        names,
        [
            "alloc", "data", "dev", "local", "proc", "secrets", "single", "sys", "tmp", "tool"
        ]
    );
    assert_eq!(
        (&lines[1]["text"], &lines[2]["text"]),
        (&json!("data"), &json!("data"))
    );
    assert_eq!(lines[3]["target"], json!("../data/file"));
    // A file of the list has no layer: it is read-only.
    assert_eq!(errnos(&lines[4..]), [ENOENT, Some(30), None, None]);
    assert_eq!(lines[7]["text"], json!("xata"));
    assert_eq!(fs::read_to_string(data.join("file")).unwrap(), "data");
}

#[test]
fn whatever_a_task_writes_stays_with_it_over_a_restart_and_reaches_neither_host_nor_others() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let canary = world.canary();
    let hosts = ["/etc/hosts", "/etc/passwd", "/usr/bin/env", canary.path()].map(Path::new);
    let before = hosts.map(facts);
    for user in ["root", "nobody"] {
        // CAP_DAC_OVERRIDE, CHOWN and FOWNER are among the defaults.
        let words = [
            "create",
            "/etc/new",
            "x",
            ",",
            "mkdir",
            "/usr/local/new",
            ",",
            "write",
            "/etc/hosts",
            "changed",
            ",",
            "chmod",
            "/etc/passwd",
            "666",
            ",",
            "chown",
            "/usr/bin/env",
            "1234",
            ",",
            "rename",
            canary.path(),
            "/usr/local/bin/renamed",
            ",",
            "create",
            "/top",
            "x",
            ",",
            "mkdir",
            "/home",
        ];
        let mut task = Driven::new(&world, Kind::Exec, &words);
        task.task.user = user.into();
        let met = errnos(&task.run().exited(0).lines());
        assert_eq!(met, [None; 8], "{user}");
        let look = [
            "read",
            "/etc/new",
            ",",
            "stat",
            "/usr/local/new",
            ",",
            "read",
            "/etc/hosts",
            ",",
            "stat",
            "/etc/passwd",
            ",",
            "stat",
            "/usr/bin/env",
            ",",
            "stat",
            canary.path(),
            ",",
            "stat",
            "/usr/local/bin/renamed",
            ",",
            "stat",
            "/top",
            ",",
            "stat",
            "/home",
        ];
        let lines = task.args(&look).run().exited(0).lines();
        assert_eq!(
            errnos(&lines),
            [None, None, None, None, None, ENOENT, None, None, None],
            "{user}, restarted"
        );
        assert!(
            lines[2]["text"].as_str().unwrap().starts_with("changed"),
            "{user}"
        );
        assert_eq!(
            (&lines[3]["mode"], &lines[4]["uid"]),
            (&json!("100666"), &json!(1234)),
            "{user}"
        );
        let mut fresh = Driven::new(&world, Kind::Exec, &look);
        fresh.task.user = user.into();
        let met = errnos(&fresh.run().exited(0).lines());
        assert_eq!(
            met,
            [
                ENOENT, ENOENT, None, None, None, None, ENOENT, ENOENT, ENOENT
            ],
            "{user}, another allocation"
        );
        for (path, before) in hosts.iter().zip(&before) {
            assert_eq!(&facts(path), before, "{user}: {}", path.display());
        }
    }
    canary.assert_untouched();
}

#[test]
fn data_and_state_below_a_shown_directory_are_covered() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut task = Driven::new(&world, Kind::Exec, &[]);
    let host = task.root().to_owned();
    let secret = host.join("kept");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("key"), "secret").unwrap();
    task.hidden.push(secret);
    let tools = Path::new(world.probe()).parent().unwrap().to_str().unwrap();
    task.operate(
        "chroot_env",
        roots(&[(host.to_str().unwrap(), "/host"), (tools, tools)]),
    );
    let words = [
        "list",
        "/host",
        ",",
        "list",
        "/host/kept",
        ",",
        "list",
        "/host/state",
        ",",
        "list",
        "/host/alloc",
        ",",
        "create",
        "/host/kept/x",
    ];
    task.args(&words).task.user = "root".into();
    let lines = task.run().exited(0).lines();
    assert!(
        strings(&lines[0]["names"]).contains(&"kept".to_owned()),
        "{}",
        lines[0]
    );
    assert_eq!(
        (&lines[1]["names"], &lines[2]["names"]),
        (&json!([]), &json!([]))
    );
    // Of the allocations the task's own is covered.
    for name in strings(&lines[3]["names"]) {
        let inner = format!("/host/alloc/{name}");
        let line = task.args(&["list", &inner]).run().exited(0).line();
        assert_eq!(line["names"], json!([]), "{inner}");
    }
    assert_eq!(lines[4]["errno"], json!(30));
}

#[test]
fn a_bad_list_is_refused_when_the_operator_gives_it() {
    let place = || driver::Place {
        state_dir: "/run/encamp-suite-none".into(),
        lifetime: shim::Lifetime::Detached,
        compute: suite::Site::COMPUTE,
        hidden: Vec::new(),
        agent_env: None,
    };
    for (source, target) in [
        ("usr", "/usr"),
        ("/usr", "usr"),
        ("/usr", "/"),
        ("", "/x"),
        ("/x", ""),
    ] {
        let operator =
            driver::options::Values::from([("chroot_env".to_owned(), roots(&[(source, target)]))]);
        let error = driver::Driver::new(Kind::Exec, &operator, place())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("{source:?} = {target:?}")),
            "{error}"
        );
    }
}

#[test]
fn where_the_task_directory_is_on_an_overlay_the_loss_is_told_and_the_host_is_as_safe() {
    if !require(NEEDS) {
        return;
    }
    Apart::Private.run(|world| {
        let over = "mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work && mount -t overlay overlay \
                    -o lowerdir=/var/tmp,upperdir=/mnt/upper,workdir=/mnt/work /var/tmp";
        assert!(std::process::Command::new("sh").args(["-c", over]).status().unwrap().success());
        let canary = world.canary();
        let mut task = Driven::new(world, Kind::Exec, &["create", "/etc/new", "x", ",", "write", canary.path(), "x", ",", "create", "/local/kept"]);
        task.task.user = "root".into();
        let live = task.start();
        let refusals = live.task().inspect().unwrap().refusals.join("\n");
        assert_eq!(errnos(&live.wait().exited(0).lines()), [None; 3]);
        for path in ["/etc", "/usr"] {
            assert!(refusals.contains(&format!("writes below {path} are lost at a restart")), "{refusals}");
        }
        let lines = task.args(&["stat", "/etc/new", ",", "stat", "/local/kept"]).run().exited(0).lines();
        assert_eq!(errnos(&lines), [ENOENT, None], "after a restart");
        canary.assert_untouched();
        assert!(!Path::new("/etc/new").exists());
    });
}

#[test]
fn a_task_directory_on_tmpfs_holds_layers_like_any_other() {
    if !require(NEEDS) {
        return;
    }
    Apart::Private.run(|world| {
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "tmpfs", "/var/tmp"])
            .status();
        assert!(mount.unwrap().success());
        let mut task = Driven::new(world, Kind::Exec, &["create", "/etc/new", "x"]);
        task.task.user = "root".into();
        let live = task.start();
        let refusals = live.task().inspect().unwrap().refusals.join("\n");
        assert!(!refusals.contains("writes below"), "{refusals}");
        let _ = live.wait().exited(0);
        let line = task.args(&["read", "/etc/new"]).run().exited(0).line();
        assert_eq!(line["text"], json!("x"));
    });
}

#[test]
fn the_scratch_directory_is_roots_alone() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let task = Driven::new(
        &world,
        Kind::Exec,
        &[
            "list",
            "/.encamp",
            ",",
            "stat",
            "/executor.out",
            ",",
            "stat",
            "/private",
        ],
    );
    let met = errnos(&task.run().exited(0).lines());
    assert_eq!(met, [ENOENT; 3]);
    let scratch = fs::metadata(task.task_dir().join(".encamp")).unwrap();
    assert_eq!(
        (scratch.uid(), scratch.permissions().mode() & 0o7777),
        (0, 0o700)
    );
}

#[test]
fn where_no_overlay_can_be_had_at_all_the_directory_is_read_only_and_that_is_told() {
    if !require(NEEDS) {
        return;
    }
    Apart::Private.run(|world| {
        // Overlayfs lies on itself once; a layer over that would be the third.
        let twice = "mount -t tmpfs tmpfs /mnt && cd /mnt && mkdir low up1 up2 work1 work2 one two && \
                     printf '#!/bin/sh\\necho ran\\n' > low/tool && chmod 644 low/tool && \
                     mount -t overlay overlay -o lowerdir=low,upperdir=up1,workdir=work1 one && \
                     mount -t overlay overlay -o lowerdir=one,upperdir=up2,workdir=work2 two";
        assert!(
            std::process::Command::new("sh")
                .args(["-c", twice])
                .status()
                .unwrap()
                .success()
        );
        let words = ["create", "/two/new", ",", "write", "/two/tool", "x"];
        let mut task = Driven::new(world, Kind::Exec, &words);
        let tools = Path::new(world.probe()).parent().unwrap().to_str().unwrap();
        task.operate("chroot_env", roots(&[("/mnt/two", "/two"), (tools, tools)]));
        task.task.user = "root".into();
        let live = task.start();
        let refusals = live.task().inspect().unwrap().refusals.join("\n");
        assert_eq!(errnos(&live.wait().exited(0).lines()), [Some(30); 2]);
        assert!(
            refusals.contains("/mnt/two is read-only: no overlay can be made over it"),
            "{refusals}"
        );
        // Nor is anything below it made executable.
        let told = task.config("command", "/two/tool".into()).refused();
        assert!(told.contains("/two/tool cannot be executed") && told.contains("chmod +x"), "{told}");
        assert_eq!(fs::metadata("/mnt/low/tool").unwrap().mode() & 0o7777, 0o644);
    });
}
