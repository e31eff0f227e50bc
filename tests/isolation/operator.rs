//! What the operator of `exec2` decides: defaults, paths for every task, leave to unveil, capabilities.
use driver::{Attribute, Health, StartError};
use suite::World;
use suite::need::require;
use suite::stage::ran_on_stage;

use crate::NEEDS;
use crate::handed::{Handed, list};

const PERM: i64 = 1;
const ACCES: i64 = 13;
const ROFS: i64 = 30;

/// Capabilities of init, whatever the task is granted: dac_read_search, kill, setgid, setuid, setpcap.
const INIT: u64 = 0x1e4;

const NET_BIND_SERVICE: u64 = 1 << 10;
const SYS_PTRACE: u64 = 1 << 19;

fn denied(errno: Option<i64>) -> bool {
    [Some(ACCES), Some(ROFS), Some(PERM)].contains(&errno)
}

#[test]
fn the_documented_paths_for_every_task_are_granted_to_every_task() {
    if !require(NEEDS)
        || ran_on_stage(
            "mkdir -p /opt/bin /srv/certs; cp /bin/true /opt/bin/; echo c > /srv/certs/x; chmod 777 /opt/bin /opt/bin/true /srv/certs /srv/certs/x",
        )
    {
        return;
    }
    let world = World::shared();
    let paths = ("unveil_paths", list(&["rx:/opt/bin", "r:/srv/certs"]));
    let words = [
        "exec",
        "/opt/bin/true",
        ",",
        "list",
        "/opt/bin",
        ",",
        "read",
        "/srv/certs/x",
        ",",
        "list",
        "/srv/certs",
        ",",
        "write",
        "/opt/bin/true",
        "x",
        ",",
        "make",
        "/opt/bin/new",
        ",",
        "write",
        "/srv/certs/x",
        "x",
        ",",
        "chmod",
        "/srv/certs/x",
        "600",
        ",",
        "list",
        "/opt",
        ",",
        "list",
        "/srv",
    ];
    for user in ["nomad-80900", "daemon", "root"] {
        let met = Handed::new(&world, std::slice::from_ref(&paths), &words)
            .user(user)
            .errnos();
        assert_eq!(met[..4], [None; 4], "{user}");
        assert!(
            met[4..].iter().all(|errno| denied(*errno)),
            "{user} {met:?}"
        );
    }
    // An operator's entry and a task's own are joined.
    let by_task = ("unveil_by_task", true.into());
    let words = [
        "write",
        "/srv/certs/x",
        "x",
        ",",
        "read",
        "/srv/certs/x",
        ",",
        "make",
        "/srv/certs/y",
    ];
    let handed =
        Handed::new(&world, &[paths, by_task], &words).config("unveil", list(&["w:/srv/certs"]));
    let met = handed.errnos();
    assert!(met[..2] == [None; 2] && denied(met[2]), "{met:?}");
}

#[test]
fn without_defaults_a_task_has_what_the_operator_names_and_not_even_its_own_directories() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let operator = [
        ("unveil_defaults", false.into()),
        ("unveil_paths", list(&["rx:/usr/local/bin"])),
    ];
    let words = [
        "list",
        "/usr/local/bin",
        ",",
        "make",
        "local/x",
        ",",
        "list",
        ".",
        ",",
        "list",
        "secrets",
        ",",
        "make",
        "alloc/x",
        ",",
        "make",
        "tmp/x",
        ",",
        "make",
        "/tmp/x",
        ",",
        "list",
        "/tmp",
        ",",
        "read",
        "/etc/hosts",
        ",",
        "open",
        "/dev/null",
        ",",
        "exec",
        "/bin/true",
        ",",
        "read",
        "/proc/self/cmdline",
    ];
    for user in ["nomad-80900", "root"] {
        let met = Handed::new(&world, &operator, &words).user(user).errnos();
        assert_eq!(met[0], None, "{user}");
        assert!(
            met[1..].iter().all(|errno| denied(*errno)),
            "{user} {met:?}"
        );
    }
}

#[test]
fn a_task_unveils_nothing_by_itself_unless_the_operator_lets_it() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    // Whatever it names, even what is granted anyway.
    let refusal = Handed::new(&world, &[], &[])
        .config("unveil", list(&["r:/etc/hosts"]))
        .refusal();
    let words = "task set unveil paths but driver config does not allow this";
    assert_eq!(refusal.to_string(), words);
    assert!(matches!(
        refusal,
        StartError::Value {
            option: "unveil",
            ..
        }
    ));
    let refusal = Handed::new(&world, &[], &[])
        .config("work_dir", "/etc".into())
        .refusal();
    let words = "task set work_dir outside sandbox but driver config does not allow this";
    assert_eq!(refusal.to_string(), words);
    let handed = Handed::new(&world, &[], &["make", "x"]).config("work_dir", "local".into());
    assert_eq!(handed.errnos(), [None]);
    // With leave, the directory is granted whole.
    let outside = world.directory().join("work");
    std::fs::create_dir(&outside).unwrap();
    let handed = Handed::new(&world, &[("unveil_by_task", true.into())], &["facts"])
        .config("work_dir", outside.display().to_string().as_str().into());
    let facts = &handed.lines()[0];
    assert_eq!(facts["cwd"], outside.display().to_string());
    assert_eq!(
        facts["env"]["NOMAD_WORK_DIR"],
        outside.display().to_string()
    );
}

#[test]
fn an_entry_in_a_hidden_directory_is_refused_also_when_a_link_leads_there() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let link = world.directory().join("link");
    let by_task = [("unveil_by_task", true.into())];
    for (leads_to, by_link) in [
        ("hidden", false),
        ("hidden", true),
        ("state", false),
        ("state", true),
    ] {
        let handed = Handed::new(&world, &by_task, &[]);
        let hidden = handed.root.join(leads_to);
        let _ = std::fs::create_dir(&hidden);
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(&hidden, &link).unwrap();
        let entry = format!("r:{}", if by_link { &link } else { &hidden }.display());
        let told = handed
            .config("unveil", list(&[&entry]))
            .refusal()
            .to_string();
        assert!(
            told.contains(&entry) && told.contains("which no task may see"),
            "{told}"
        );
    }
}

#[test]
fn capabilities_are_none_unless_granted_and_a_granted_one_works_for_any_user() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let words = [
        "facts",
        ",",
        "listen",
        "127.0.0.1:81",
        ",",
        "read",
        "/proc/1/status",
    ];
    for (user, ambient) in [("nomad-80900", true), ("root", false)] {
        let handed = Handed::new(&world, &[], &words)
            .user(user)
            .config("cap_add", list(&["CAP_NET_BIND_SERVICE"]));
        let lines = handed.lines();
        let set = |name: &str| {
            let text = lines[0]["capabilities"][name].as_str().unwrap();
            u64::from_str_radix(text, 16).unwrap()
        };
        for name in ["permitted", "effective", "bounding"] {
            assert_eq!(set(name), NET_BIND_SERVICE, "{user} {name}");
        }
        for name in ["inheritable", "ambient"] {
            assert_eq!(
                set(name),
                if ambient { NET_BIND_SERVICE } else { 0 },
                "{user} {name}"
            );
        }
        assert_eq!(lines[1]["ok"], true, "{user}: {}", lines[1]);
        assert_eq!(init_holds(&lines[2]), INIT | NET_BIND_SERVICE);
    }
    let start = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    if start.is_ok_and(|first| first.trim() == "1024") {
        let met = Handed::new(&world, &[], &["listen", "127.0.0.1:82"]).errnos();
        assert_eq!(met, [Some(ACCES)]);
    }
}

/// `CapPrm` of the status of pid 1.
fn init_holds(line: &serde_json::Value) -> u64 {
    let status = line["text"].as_str().unwrap();
    let held = status.lines().find_map(|line| line.strip_prefix("CapPrm:"));
    u64::from_str_radix(held.unwrap().trim(), 16).unwrap()
}

#[test]
fn capability_lists_are_computed_and_refused_as_upstream_says() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let narrow = ("allow_caps", list(&["chown", "CAP_KILL"]));
    for (operator, add, drop, expected) in [
        (None, &["chown", "kill"][..], &["cap_kill"][..], Ok(1)),
        (None, &[], &["all"], Ok(0)),
        (None, &["Chown", " cap_chown"], &[], Ok(1)),
        (Some(&narrow), &["chown", "kill"], &[], Ok(0x21)),
        (Some(&narrow), &["all"], &["all"], Ok(0)),
        (
            Some(&narrow),
            &["mknod"],
            &[],
            Err("task requested capability \"mknod\" not in driver allow_caps"),
        ),
        (
            None,
            &["sys_ptrace"],
            &[],
            Err("task requested capability \"sys_ptrace\" not in driver allow_caps"),
        ),
        (
            None,
            &["foo"],
            &[],
            Err("invalid capability \"foo\" in cap_add: not supported by system"),
        ),
        (
            None,
            &[],
            &["bar"],
            Err("invalid capability \"bar\" in cap_drop: not supported by system"),
        ),
    ] {
        let operator: Vec<_> = operator.into_iter().cloned().collect();
        let handed = Handed::new(&world, &operator, &["facts"])
            .config("cap_add", list(add))
            .config("cap_drop", list(drop));
        match expected {
            Ok(set) => {
                let held = handed.lines()[0]["capabilities"]["effective"].clone();
                assert_eq!(held, format!("{set:016x}"), "{add:?} {drop:?}");
            }
            Err(told) => assert_eq!(handed.refusal().to_string(), told),
        }
    }
}

/// A task that may trace reaches init, which is root: init must not be the host's root.
#[test]
fn a_task_that_may_trace_finds_no_more_in_init_than_init_needs() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let operator = [("allow_caps", list(&["sys_ptrace"]))];
    let words = [
        "read",
        "/proc/1/status",
        ",",
        "read",
        "/proc/1/environ",
        ",",
        "list",
        "/proc/1/root/root",
        ",",
        "list",
        "/proc/1/cwd/",
        ",",
        "list",
        "/proc/1/fd",
        ",",
        "write",
        "/proc/1/exe",
        "x",
    ];
    for user in ["nomad-80900", "root"] {
        let lines = Handed::new(&world, &operator, &words)
            .user(user)
            .config("cap_add", list(&["sys_ptrace"]))
            .lines();
        assert_eq!(init_holds(&lines[0]), INIT | SYS_PTRACE, "{user}");
        // Nothing in the environment; its root and its directory are the task's view, in the task's domain.
        assert!(
            ["", "null"].contains(&lines[1]["text"].as_str().unwrap_or("null")),
            "{}",
            lines[1]
        );
        assert!(
            lines[2]["errno"].is_i64() && lines[3]["errno"].is_i64(),
            "{lines:?}"
        );
        assert_eq!(lines[5]["ok"], false, "{}", lines[5]);
    }
}

#[test]
fn the_attributes_say_what_the_operator_decided() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    for (operator, defaults, tasks, caps) in [
        (
            &[][..],
            true,
            false,
            "audit_write,chown,dac_override,fowner,fsetid,kill,mknod,net_bind_service,setfcap,setgid,setpcap,setuid,sys_chroot",
        ),
        (
            &[
                ("unveil_defaults", false.into()),
                ("unveil_by_task", true.into()),
                ("allow_caps", list(&["CAP_KILL", "chown"])),
            ],
            false,
            true,
            "chown,kill",
        ),
    ] {
        let found = Handed::new(&world, operator, &[]).driver.fingerprint();
        assert_eq!(
            (found.health, found.description.as_str()),
            (Health::Healthy, "Healthy")
        );
        let abi = sandbox::landlock::abi().unwrap();
        for (name, value) in [
            ("driver.exec2.unveil.defaults", Attribute::Bool(defaults)),
            ("driver.exec2.unveil.tasks", Attribute::Bool(tasks)),
            ("driver.exec2.landlock.abi", Attribute::Int(abi.into())),
            (
                "driver.exec2.caps.allowlist",
                Attribute::String(caps.to_owned()),
            ),
        ] {
            assert_eq!(found.attributes.get(name), Some(&value), "{name}");
        }
    }
}
