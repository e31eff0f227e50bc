//! `cap_add`, `cap_drop` and `allow_caps` of `exec`: the reference's table from inside, and what a grant really allows.
use driver::Kind;
use serde_json::{Value, json};
use suite::need::require;
use suite::{Driven, World};

use crate::{NEEDS, tries};

const DEFAULTS: &[&str] = &[
    "audit_write",
    "chown",
    "dac_override",
    "fowner",
    "fsetid",
    "kill",
    "mknod",
    "net_bind_service",
    "setfcap",
    "setgid",
    "setpcap",
    "setuid",
    "sys_chroot",
];

/// capabilities(7) by number; the rest is not needed here.
const NUMBERS: [(&str, u32); 15] = [
    ("audit_write", 29),
    ("chown", 0),
    ("dac_override", 1),
    ("fowner", 3),
    ("fsetid", 4),
    ("kill", 5),
    ("mknod", 27),
    ("net_bind_service", 10),
    ("setfcap", 31),
    ("setgid", 6),
    ("setpcap", 8),
    ("setuid", 7),
    ("sys_chroot", 18),
    ("net_raw", 13),
    ("sys_time", 25),
];

/// `allow_caps` (`None`: not said), `cap_add`, `cap_drop`, and what comes of them.
type Row = (
    Option<&'static [&'static str]>,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

const TABLE: [Row; 13] = [
    (None, &[], &[], DEFAULTS),
    (Some(DEFAULTS), &[], &[], DEFAULTS),
    (Some(&["all"]), &[], &[], DEFAULTS),
    (
        Some(&["cap_net_raw", "chown", "SYS_TIME"]),
        &[],
        &[],
        &["chown"],
    ),
    (
        Some(&["cap_net_raw", "chown", "SYS_TIME"]),
        &["net_raw", "sys_time"],
        &[],
        &["chown", "net_raw", "sys_time"],
    ),
    (None, &["chown", "KILL"], &[], DEFAULTS),
    (None, &[], &["all"], &[]),
    (None, &["chown", "fowner"], &["all"], &["chown", "fowner"]),
    (
        None,
        &[],
        &[
            "chown",
            "fowner",
            "CAP_KILL",
            "SYS_CHROOT",
            "mknod",
            "dac_override",
        ],
        &[
            "audit_write",
            "fsetid",
            "net_bind_service",
            "setfcap",
            "setgid",
            "setpcap",
            "setuid",
        ],
    ),
    (
        None,
        &["chown", "sys_chroot", "mknod"],
        &["all"],
        &["chown", "sys_chroot", "mknod"],
    ),
    (None, &[" Cap_Chown ", ""], &[" ALL "], &["chown"]),
    (Some(&[]), &[], &[], &[]),
    // An addition wins over a drop of the same.
    (
        None,
        &["kill"],
        &[
            "kill",
            "chown",
            "fowner",
            "fsetid",
            "dac_override",
            "audit_write",
            "mknod",
        ],
        &[
            "kill",
            "net_bind_service",
            "setfcap",
            "setgid",
            "setpcap",
            "setuid",
            "sys_chroot",
        ],
    ),
];

/// `allow_caps`, `cap_add`, `cap_drop`, and the error word for word (`exec.md` §3 and §4).
type Refusal = (
    Option<&'static [&'static str]>,
    &'static [&'static str],
    &'static [&'static str],
    &'static str,
);

const REFUSED: [Refusal; 6] = [
    (
        None,
        &["chown", "net_raw"],
        &[],
        "driver does not allow the following capabilities: net_raw",
    ),
    (
        None,
        &["SYS_TIME", "cap_net_admin"],
        &["all"],
        "driver does not allow the following capabilities: net_admin, sys_time",
    ),
    (
        Some(&[]),
        &["chown"],
        &[],
        "driver does not allow the following capabilities: chown",
    ),
    (
        None,
        &["sys_tme", "Foo"],
        &[],
        "failed driver config validation: cap_add configured with capabilities not supported by system: foo, sys_tme",
    ),
    (
        None,
        &[],
        &["CAP_BAR"],
        "failed driver config validation: cap_drop configured with capabilities not supported by system: bar",
    ),
    // Told before what is not allowed.
    (
        None,
        &["net_raw"],
        &["bar"],
        "failed driver config validation: cap_drop configured with capabilities not supported by system: bar",
    ),
];

const EPERM: Option<i64> = Some(1);
const EACCES: Option<i64> = Some(13);

fn set(names: &[&str]) -> u64 {
    let number = |name: &&str| NUMBERS.iter().find(|(known, _)| known == name).unwrap().1;
    names.iter().map(|name| 1 << number(name)).sum()
}

fn hex(facts: &Value, name: &str) -> u64 {
    u64::from_str_radix(facts["capabilities"][name].as_str().unwrap(), 16).unwrap()
}

fn sets(facts: &Value) -> [u64; 5] {
    [
        "inheritable",
        "permitted",
        "effective",
        "bounding",
        "ambient",
    ]
    .map(|name| hex(facts, name))
}

fn held() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapPrm:"))
        .unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

fn lists<'a, 'b>(
    driven: &'b mut Driven<'a>,
    allow: Option<&[&str]>,
    add: &[&str],
    drop: &[&str],
) -> &'b mut Driven<'a> {
    if let Some(allow) = allow {
        driven.operate("allow_caps", allow.into());
    }
    driven
        .config("cap_add", add.into())
        .config("cap_drop", drop.into())
}

#[test]
fn the_sets_are_those_of_the_reference_for_root_and_for_others() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for (allow, add, drop, result) in TABLE {
        let granted = set(result) & held();
        for (user, wanted) in [
            ("nobody", [granted; 5]),
            ("root", [0, granted, granted, granted, 0]),
        ] {
            let mut driven = Driven::new(&world, Kind::Exec, &["facts"]);
            lists(&mut driven, allow, add, drop).task.user = user.into();
            let facts = driven.run().exited(0).line();
            assert_eq!(
                sets(&facts),
                wanted,
                "{user}: allow {allow:?}, add {add:?}, drop {drop:?}"
            );
        }
    }
}

#[test]
fn all_with_everything_allowed_is_everything_that_is_ours_to_give() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let mut driven = Driven::new(&world, Kind::Exec, &["facts"]);
    lists(&mut driven, Some(&["ALL"]), &["all"], &[]);
    assert_eq!(sets(&driven.run().exited(0).line()), [held(); 5]);
}

#[test]
fn an_entered_command_holds_what_the_task_holds() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for user in ["nobody", "root"] {
        let mut driven = Driven::new(&world, Kind::Exec, &["facts", ",", "sleep", "60"]);
        lists(&mut driven, None, &["chown", "kill"], &["all"])
            .task
            .user = user.into();
        let live = driven.start();
        let own: Value =
            serde_json::from_str(live.wait_for_stdout("}\n").lines().next().unwrap()).unwrap();
        // Only the last 4096 bytes come back, so not all facts.
        let entered = live
            .enter(&["/bin/grep", "^Cap", "/proc/self/status"])
            .stdout;
        let entered: Vec<u64> = entered
            .lines()
            .map(|line| u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap())
            .collect();
        assert_eq!(entered, sets(&own), "{user}");
        let _ = live.stop();
    }
}

#[test]
fn what_is_not_allowed_or_does_not_exist_is_refused_in_the_originals_words() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for (allow, add, drop, words) in REFUSED {
        for user in ["nobody", "root"] {
            let mut driven = Driven::new(&world, Kind::Exec, &[]);
            lists(&mut driven, allow, add, drop).task.user = user.into();
            assert_eq!(driven.refused(), words, "{user}");
        }
    }
    let mut driven = Driven::new(&world, Kind::Exec, &[]);
    let told = lists(&mut driven, None, &["all"], &[]).refused();
    let names: Vec<_> = told
        .strip_prefix("driver does not allow the following capabilities: ")
        .unwrap()
        .split(", ")
        .collect();
    assert!(
        names.is_sorted() && names.contains(&"sys_admin") && !names.contains(&"chown"),
        "{told}"
    );
}

#[test]
fn the_seeds_first_example_gives_raw_sockets_and_without_it_there_are_none() {
    if !require(tries::NEEDS) {
        return;
    }
    let world = World::shared();
    let attempts = ["raw", ",", "packet"];
    for user in ["nobody", "root"] {
        let mut plain = tries::exec(&world, &attempts);
        plain.task.user = user.into();
        assert_eq!(
            tries::errnos(&tries::lines(plain.run())),
            [EPERM; 2],
            "{user}"
        );
        let mut granted = tries::exec(&world, &attempts);
        let allow = [DEFAULTS, &["net_raw", "sys_time"]].concat();
        lists(&mut granted, Some(&allow), &["net_raw", "sys_time"], &[])
            .task
            .user = user.into();
        assert_eq!(
            tries::errnos(&tries::lines(granted.run())),
            [None; 2],
            "{user}"
        );
    }
}

#[test]
fn the_seeds_second_example_can_chown_and_chroot_and_make_nodes_that_lead_nowhere() {
    if !require(tries::NEEDS) {
        return;
    }
    let world = World::shared();
    let (add, drop) = (&["chown", "sys_chroot", "mknod"], &["all"]);
    for user in ["nobody", "root"] {
        let words = [
            "create",
            "/local/file",
            ",",
            "chown",
            "/local/file",
            "1",
            ",",
            "stat",
            "/local/file",
            ",", // allowed
            "mknod",
            "/local/disk",
            "b",
            "8",
            "0",
            ",",
            "read",
            "/local/disk",
            ",",
            "mknod",
            "/local/null",
            "c",
            "1",
            "3",
            ",",
            "read",
            "/local/null",
            ",",
            "mknod",
            "/dev/disk",
            "b",
            "8",
            "0",
            ",", // made, and of no use
            "setuid",
            "1", // not granted
        ];
        let mut driven = Driven::new(&world, Kind::Exec, &words);
        lists(&mut driven, None, add, drop).task.user = user.into();
        let lines = tries::lines(driven.run());
        assert_eq!(lines[2]["uid"], json!(1), "{user}");
        let met = tries::errnos(&lines);
        assert_eq!(met[..3], [None; 3], "{user}: {met:?}");
        // The device cgroup lets any node be made; on a nodev mount none opens (mount(2)).
        assert_eq!(
            (met[3], met[4], met[5], met[6]),
            (None, EACCES, None, EACCES),
            "{user}"
        );
        assert_eq!(met[7], Some(30), "{user}: /dev is read-only");
        assert_eq!(met[8], EPERM, "{user}");
        let mut driven = tries::exec(&world, &["raw", ",", "chroot", "/local"]);
        lists(&mut driven, None, add, drop).task.user = user.into();
        assert_eq!(
            tries::errnos(&tries::lines(driven.run())),
            [EPERM, None],
            "{user}"
        );
        let mut driven = tries::exec(&world, &["chroot", "/local"]);
        lists(&mut driven, None, &[], drop).task.user = user.into();
        assert_eq!(
            tries::errnos(&tries::lines(driven.run())),
            [EPERM],
            "{user}: without"
        );
    }
}
