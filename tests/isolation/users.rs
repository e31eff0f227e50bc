//! Who an `exec` task is: exact ids by name, or an error; never root by a slip (CVE-2026-30892, CVE-2016-3697).
use std::fs;
use std::process::Command;

use driver::Kind;
use serde_json::{Value, json};
use suite::need::require;
use suite::{Apart, Driven, World};

use crate::NEEDS;

/// What may look like an id, a name with something beside it, or an option, and is nobody's name.
const NOBODYS: [&str; 26] = [
    "1000:",
    ":0",
    "0:0",
    "0x0",
    "+0",
    "-0",
    "-1",
    "0",
    "00",
    "65534",
    "4294967295",
    "4294967296",
    "01000",
    " root",
    "root ",
    "root:",
    "root\n",
    "nobody\n",
    "nobody\0",
    "root:x:0:0",
    "ROOT",
    "../root",
    "--help",
    "-s",
    "root,nobody",
    "\u{ff52}oot",
];

/// `denied_host_uids`, `denied_host_gids`, the user, and why it is refused; nothing: it runs.
const DENIED: [(&str, &str, &str, Option<&str>); 9] = [
    ("65534", "", "", Some("running as uid 65534 is disallowed")),
    (
        "0-100",
        "",
        "daemon",
        Some("running as uid 1 is disallowed"),
    ),
    ("5,0-0", "", "root", Some("running as uid 0 is disallowed")),
    (
        "",
        "65534",
        "nobody",
        Some("running as gid 65534 is disallowed"),
    ),
    ("", "0-10", "root", Some("running as gid 0 is disallowed")),
    ("2-10", "2-10", "daemon", None),
    // A range with 0 denies root's group, not everybody's.
    ("", "0", "nobody", None),
    ("0", "0", "", None),
    ("", "", "root", None),
];

/// passwd(5) and group(5) for one test: a number as a name, root by another name, a member of groups, no home.
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n1000:x:4242:4343::/home/n:/bin/sh\n\
                      toor:x:0:0::/root:/bin/sh\nmember:x:4244:4344::/srv/m:/bin/sh\nbare:x:4245:4345:::\nhigh:x:4294967295:4294967295::/:/bin/sh\n";
const GROUP: &str = "root:x:0:\nnumber:x:4343:\nm:x:4344:member\nextra:x:4500:x,member\nmore:x:4600:member\nothers:x:4700:members\n";

fn ids(facts: &Value) -> (Value, Value, Value) {
    (
        facts["uid"].clone(),
        facts["gid"].clone(),
        facts["groups"].clone(),
    )
}

fn of(uid: u32, gid: u32, groups: &[u32]) -> (Value, Value, Value) {
    (json!(([uid; 4])), json!(([gid; 4])), json!(groups))
}

#[test]
fn what_is_nobodys_name_is_refused_in_the_originals_words() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut task = Driven::new(&world, Kind::Exec, &["facts"]);
    for name in NOBODYS {
        task.task.user = name.into();
        let shown = name.escape_debug();
        let wanted = format!(
            "failed host user validation: failed to identify user {name:?}: user: unknown user {shown}"
        );
        assert_eq!(task.refused(), wanted);
    }
}

#[test]
fn the_operators_denials_are_told_exactly_and_others_run() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for (uids, gids, user, refusal) in DENIED {
        let mut task = Driven::new(&world, Kind::Exec, &["exit", "0"]);
        task.operate("denied_host_uids", uids.into())
            .operate("denied_host_gids", gids.into());
        task.task.user = user.into();
        match refusal {
            Some(reason) => assert_eq!(
                task.refused(),
                format!("failed host user validation: {reason}")
            ),
            None => drop(task.run().exited(0)),
        }
    }
}

#[test]
fn a_user_has_its_own_ids_and_groups_whatever_its_name_looks_like() {
    if !require(NEEDS) {
        return;
    }
    Apart::Private.run(|world| {
        let bind = |name: &str, text: &str| {
            let file = world.directory().join(name);
            fs::write(&file, text).unwrap();
            let status = Command::new("mount")
                .arg("--bind")
                .arg(file)
                .arg(format!("/etc/{name}"))
                .status();
            assert!(status.unwrap().success());
        };
        bind("passwd", PASSWD);
        bind("group", GROUP);
        let mut task = Driven::new(world, Kind::Exec, &["facts"]);
        let mut run = |user: &str| {
            task.task.user = user.into();
            task.run().exited(0).line()
        };
        for (user, wanted, home) in [
            ("", of(65534, 65534, &[]), "/nonexistent"),
            ("root", of(0, 0, &[]), "/root"),
            ("toor", of(0, 0, &[]), "/root"),
            ("1000", of(4242, 4343, &[]), "/home/n"),
            ("member", of(4244, 4344, &[4344, 4500, 4600]), "/srv/m"),
            ("bare", of(4245, 4345, &[]), "/"),
        ] {
            let facts = run(user);
            assert_eq!(ids(&facts), wanted, "{user}");
            let name = if user.is_empty() { "nobody" } else { user };
            assert_eq!(facts["env"]["HOME"], json!(home), "{user}");
            assert_eq!(
                (&facts["env"]["USER"], &facts["env"]["LOGNAME"]),
                (&json!(name), &json!(name))
            );
        }
        // Root by another name holds what root holds: nothing to inherit.
        let sets = |facts: &Value| facts["capabilities"].clone();
        assert_eq!(sets(&run("toor")), sets(&run("root")));
        // setuid(2) takes the highest number for "leave it as it is".
        task.task.user = "high".into();
        assert!(task.refused().contains("unknown user high"));
    });
}
