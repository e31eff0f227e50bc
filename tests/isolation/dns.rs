//! `/etc/resolv.conf`: what a job asks for, in the place of the host's.
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use driver::Kind;
use driver::options::Value;
use driver::task_config::{Dns, NetworkIsolation, NetworkMode};
use serde_json::json;
use suite::driven::KINDS;
use suite::need::require;
use suite::{Apart, Driven, World};

use crate::NEEDS;

const FILE: &str = "/etc/resolv.conf";

/// What systemd-resolved leads it to, and what it knows itself.
const STUB: &str = "/run/systemd/resolve/stub-resolv.conf";
const UPSTREAM: &str = "/run/systemd/resolve/resolv.conf";
const STUBBED: &str = "nameserver 127.0.0.53\noptions edns0\n";
const KNOWN: &str = "nameserver 10.9.8.7\nsearch upstream.example\n";

const ENTRIES: &str =
    "search a.example b.example\nnameserver 192.0.2.1\nnameserver 2001:db8::1\noptions ndots:2\n";

const EACCES: i64 = 13;
const EROFS: i64 = 30;

/// Ways to look at the file and to change it.
const ATTEMPTS: &[&str] = &[
    "read", FILE, ",", "stat", FILE, ",", "write", FILE, "x", ",", "chmod", FILE, "777", ",",
    "unlink", FILE,
];

fn dns(servers: &[&str], searches: &[&str], options: &[&str]) -> Option<Dns> {
    let list = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    Some(Dns {
        servers: list(servers),
        searches: list(searches),
        options: list(options),
    })
}

fn entries() -> Option<Dns> {
    dns(
        &["192.0.2.1", "2001:db8::1"],
        &["a.example", "b.example"],
        &["ndots:2"],
    )
}

/// What the task reads.
#[track_caller]
fn text(driven: &mut Driven<'_>) -> String {
    let line = driven.args(&["read", FILE]).run().exited(0).line();
    line["text"]
        .as_str()
        .unwrap_or_else(|| panic!("{line}"))
        .to_owned()
}

#[test]
fn a_job_has_the_entries_that_it_asked_for_and_cannot_change_them() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let before = fs::read(FILE).unwrap();
    for (kind, user) in [
        (Kind::Exec, ""),
        (Kind::Exec, "root"),
        (Kind::Exec2, "nomad-80017"),
        (Kind::Exec2, "root"),
    ] {
        let mut driven = Driven::new(&world, kind, ATTEMPTS);
        driven.task.dns = entries();
        driven.task.user = user.to_owned();
        let lines = driven.run().exited(0).lines();
        assert_eq!(lines[0]["text"], ENTRIES, "{kind:?} {user}: {}", lines[0]);
        assert_eq!(
            (&lines[1]["mode"], &lines[1]["uid"], &lines[1]["gid"]),
            (&json!("100644"), &json!(0), &json!(0)),
            "{kind:?} {user}"
        );
        for refused in &lines[2..] {
            assert_eq!(refused["ok"], false, "{kind:?} {user}: {refused}");
        }
        // Also for who may do anything: the mount is read-only.
        assert_eq!(lines[3]["errno"], EROFS, "{kind:?} {user}: {}", lines[3]);
    }
    assert_eq!(fs::read(FILE).unwrap(), before, "the host's file");
}

#[test]
fn an_entered_command_reads_the_same_file() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::new(&world, kind, &["say", "ready", ",", "sleep", "600"]);
        driven.task.dns = entries();
        let live = driven.start();
        live.wait_for_stdout("ready");
        let line = live.enter(&[world.probe(), "read", FILE]).line();
        assert_eq!(line["text"], ENTRIES, "{kind:?}");
        live.stop();
    }
}

#[test]
fn without_entries_it_is_the_hosts_file() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let host = fs::read_to_string(FILE).unwrap();
    for kind in KINDS {
        for given in [None, dns(&[], &[], &[])] {
            let mut driven = Driven::new(&world, kind, &[]);
            driven.task.dns = given.clone();
            assert_eq!(text(&mut driven), host, "{kind:?} {given:?}");
        }
    }
}

#[test]
fn exec2_reads_it_only_where_it_is_unveiled() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let unveil = |more: &[&str]| -> Value {
        let mut entries = vec!["rx:/usr/local/bin", "r:/proc"];
        entries.extend(more);
        entries.as_slice().into()
    };
    let outcome = |more: &[&str]| {
        let mut driven = Driven::new(&world, Kind::Exec2, &["read", FILE]);
        driven.task.dns = entries();
        driven.operate("unveil_defaults", false.into());
        driven.config("unveil", unveil(more));
        driven.config("work_dir", "/proc".into());
        driven.run().exited(0).line()
    };
    assert_eq!(outcome(&[])["errno"], EACCES);
    assert_eq!(outcome(&["r:/etc/resolv.conf"])["text"], ENTRIES);
    assert_eq!(outcome(&["r:/etc"])["text"], ENTRIES);
}

#[test]
fn an_entry_of_two_words_is_refused() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for kind in KINDS {
        let mut driven = Driven::new(&world, kind, &[]);
        driven.task.dns = dns(&["192.0.2.1\nsearch evil"], &[], &[]);
        let told = driven.refused();
        assert!(
            told.contains("network.dns") && told.contains("192.0.2.1\\nsearch evil"),
            "{told}"
        );
    }
}

/// A host whose file is a link below `/run`, in a mount namespace of the test's own.
fn link_to(target: &str, texts: &[(&str, &str)]) {
    let run = |program: &str, args: &[&str]| {
        let status = std::process::Command::new(program).args(args).status();
        assert!(status.unwrap().success(), "{program} {args:?}");
    };
    run("mount", &["-t", "tmpfs", "tmpfs", "/run"]);
    let etc = Path::new("/run/etc");
    for directory in ["upper", "work"] {
        fs::create_dir_all(etc.join(directory)).unwrap();
    }
    run(
        "mount",
        &[
            "-t",
            "overlay",
            "overlay",
            "-o",
            "lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work",
            "/etc",
        ],
    );
    for (path, text) in texts {
        fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::remove_file(FILE).unwrap();
    symlink(target, FILE).unwrap();
}

/// The users that matter: with uid 0 exec2 covers `/run`.
const USERS: [(Kind, &str); 4] = [
    (Kind::Exec, ""),
    (Kind::Exec, "root"),
    (Kind::Exec2, "nomad-80017"),
    (Kind::Exec2, "root"),
];

#[test]
fn behind_a_stub_the_file_is_laid_over_what_the_link_leads_to() {
    if !require(NEEDS) {
        return;
    }
    Apart::Private.run(|world| {
        link_to(
            "../run/systemd/resolve/stub-resolv.conf",
            &[(STUB, STUBBED), (UPSTREAM, KNOWN)],
        );
        for (kind, user) in USERS {
            let mut driven = Driven::new(world, kind, &[]);
            driven.task.user = user.to_owned();
            assert_eq!(text(&mut driven), STUBBED, "{kind:?} {user}");
            driven.task.dns = entries();
            assert_eq!(text(&mut driven), ENTRIES, "{kind:?} {user}");
            // What the job leaves out is what systemd knows, not its stub.
            driven.task.dns = dns(&[], &["x"], &[]);
            assert_eq!(
                text(&mut driven),
                "search x\nnameserver 10.9.8.7\n",
                "{kind:?} {user}"
            );
            driven.task.dns = dns(&[], &[], &[]);
            assert_eq!(text(&mut driven), KNOWN, "{kind:?} {user}");
        }
        assert_eq!(fs::read_to_string(STUB).unwrap(), STUBBED);
    });
}

#[test]
fn in_a_network_of_its_own_a_task_is_not_sent_to_the_hosts_stub() {
    if !require(NEEDS) {
        return;
    }
    Apart::Private.run(|world| {
        link_to(STUB, &[(STUB, STUBBED), (UPSTREAM, KNOWN)]);
        for (kind, user) in USERS {
            let mut driven = Driven::new(world, kind, &[]);
            driven.task.user = user.to_owned();
            driven.task.network_isolation = Some(NetworkIsolation {
                mode: NetworkMode::None,
                ..NetworkIsolation::default()
            });
            assert_eq!(text(&mut driven), KNOWN, "{kind:?} {user}");
        }
    });
}

#[test]
fn a_link_to_another_place_is_followed_inside() {
    if !require(NEEDS) {
        return;
    }
    Apart::Private.run(|world| {
        let place = "/run/NetworkManager/resolv.conf";
        link_to(place, &[(place, KNOWN)]);
        for (kind, user) in USERS {
            let mut driven = Driven::new(world, kind, &[]);
            driven.task.user = user.to_owned();
            driven.task.dns = entries();
            assert_eq!(text(&mut driven), ENTRIES, "{kind:?} {user}");
        }
        assert_eq!(fs::read_to_string(place).unwrap(), KNOWN);
    });
}
