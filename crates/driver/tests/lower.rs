//! From a task to the description of its process, without privileges: descriptions as a whole against golden files, and
//! statements about them.
//!
//! `UPDATE=1 cargo test -p driver --test lower` writes the golden files anew; look at the difference before it is committed.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use driver::options::{Value, Values};
use driver::task_config::{Device, Mount, NetworkIsolation, NetworkMode, TaskConfig};
use driver::users::{self, User};
use driver::{Compute, Driver, Kind, Place, StartError};
use sandbox::Spec;
use sandbox::spec::{Access, Missing, Source};

const ALLOC: &str = "0af996ed-1111-2222-3333-444444444444";

fn driver(kind: Kind, operator: &[(&str, Value)]) -> Driver {
    Driver::new(kind, &values(operator), place()).unwrap()
}

fn place() -> Place {
    Place {
        state_dir: "/var/lib/encamp/state".into(),
        lifetime: shim::Lifetime::Detached,
        compute: Compute {
            total_mhz: 8000,
            cores: 4,
        },
        hidden: vec!["/var/lib/encamp".into(), "/run/encamp".into()],
        agent_env: None,
    }
}

#[test]
fn what_an_agent_has_is_withheld_by_every_clone_of_its_driver_and_by_no_other() {
    let secret = BTreeMap::from([("SECRET".to_owned(), "s".to_owned())]);
    let task = TaskConfig {
        env: secret.clone(),
        ..TaskConfig::default()
    };
    let of_agent = Place {
        agent_env: Some(secret),
        ..place()
    };
    let driver = Driver::new(Kind::Exec2, &values(&[]), of_agent).unwrap();
    assert_eq!(driver.clone().withheld(&task), ["SECRET"]);
    assert_eq!(driver.withheld(&task), ["SECRET"]);
    let alone = Driver::new(Kind::Exec2, &values(&[]), place()).unwrap();
    assert_eq!(alone.withheld(&task), [""; 0]);
}

fn values(pairs: &[(&str, Value)]) -> Values {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

fn list(elements: &[&str]) -> Value {
    elements.into()
}

fn strings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn task(config: &[(&str, Value)]) -> TaskConfig {
    TaskConfig {
        id: format!("{ALLOC}/web/12345678"),
        name: "web".into(),
        alloc_id: ALLOC.into(),
        alloc_dir: Path::new("/var/lib/encamp/alloc").join(ALLOC),
        driver_config: values(config),
        ..TaskConfig::default()
    }
}

/// As Nomad's client sends it to a driver that unveils.
fn unveiled(config: &[(&str, Value)], mounts: &str) -> TaskConfig {
    let inside = format!("{mounts}/{ALLOC}-web");
    let env = [
        ("NOMAD_TASK_DIR", "local"),
        ("NOMAD_ALLOC_DIR", "alloc"),
        ("NOMAD_SECRETS_DIR", "secrets"),
    ]
    .map(|(name, directory)| (name.to_owned(), format!("{inside}/{directory}")));
    TaskConfig {
        env: env.into(),
        ..task(config)
    }
}

fn nobody() -> User {
    User {
        name: "nobody".into(),
        uid: 65534,
        gid: 65534,
        groups: vec![],
        home: "/nonexistent".into(),
    }
}

fn root() -> User {
    User {
        name: "root".into(),
        uid: 0,
        gid: 0,
        groups: vec![],
        home: "/root".into(),
    }
}

fn dynamic() -> User {
    users::dynamic("nomad-80017").unwrap()
}

fn check(name: &str, spec: &Spec) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
        .with_extension("json");
    let got = serde_json::to_string_pretty(spec).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &got).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        got == wanted,
        "{} is not what was got:\n{got}",
        path.display()
    );
}

#[test]
fn exec_env() {
    let task = task(&[("command", "env".into())]);
    check(
        "exec-env",
        &driver(Kind::Exec, &[]).lower_as(&task, &nobody()).unwrap(),
    );
}

#[test]
fn exec_with_everything() {
    let mut task = task(&[
        ("command", "bin/server".into()),
        ("args", list(&["-v", ""])),
        ("pid_mode", "host".into()),
        ("ipc_mode", "host".into()),
        ("cap_add", list(&["NET_RAW"])),
        ("cap_drop", list(&["cap_mknod"])),
        ("work_dir", "/local/work".into()),
    ]);
    task.env = strings(&[("PATH", "${PATH}:/opt"), ("HOME", "/lost"), ("EMPTY", "")]);
    task.mounts = vec![
        Mount {
            task_path: "/srv".into(),
            host_path: "/data/srv".into(),
            ..Mount::default()
        },
        Mount {
            task_path: "etc".into(),
            host_path: "/var/lib".into(),
            readonly: true,
            propagation_mode: "bidirectional".into(),
            ..Mount::default()
        },
    ];
    task.devices = vec![Device {
        task_path: "/dev/fuse".into(),
        host_path: "/dev/fuse".into(),
        cgroup_permissions: "rwm".into(),
    }];
    task.network_isolation = Some(NetworkIsolation {
        mode: NetworkMode::Group,
        path: "/var/run/netns/x".into(),
        ..NetworkIsolation::default()
    });
    task.stdout_path = task.alloc_dir.join("alloc/logs/.web.stdout.fifo");
    task.stderr_path = "/dev/null".into();
    let chroot_env = BTreeMap::from([
        ("/srv/root/usr".to_owned(), "/usr".into()),
        ("/bin".to_owned(), "/bin".into()),
    ]);
    let operator = [
        ("no_pivot_root", Value::Bool(true)),
        ("allow_caps", list(&["chown", "mknod", "net_raw"])),
        ("chroot_env", Value::Map(chroot_env)),
    ];
    let user = User {
        groups: vec![4, 1000],
        ..root()
    };
    check(
        "exec-everything",
        &driver(Kind::Exec, &operator)
            .lower_as(&task, &user)
            .unwrap(),
    );
}

#[test]
fn exec2_env() {
    let task = unveiled(&[("command", "env".into())], "/var/lib/encamp/alloc_mounts");
    check(
        "exec2-env",
        &driver(Kind::Exec2, &[])
            .lower_as(&task, &dynamic())
            .unwrap(),
    );
}

#[test]
fn exec2_with_everything() {
    let mut task = unveiled(
        &[
            ("command", "local/server".into()),
            ("args", list(&["-v"])),
            (
                "unveil",
                list(&[
                    "r:/etc/mime.types",
                    "rwc:/dev/shm",
                    "w:/etc/mime.types",
                    "rx:bin",
                    "r:/proc/self/mountinfo",
                ]),
            ),
            ("oom_score_adj", Value::Number(500.0)),
            ("cap_add", list(&["net_bind_service", "kill"])),
            ("cap_drop", list(&["kill"])),
            ("work_dir", "/srv/work".into()),
        ],
        "/opt/nomad/alloc_mounts",
    );
    task.mounts = vec![Mount {
        task_path: "/srv/data".into(),
        host_path: "/data/srv".into(),
        readonly: true,
        ..Mount::default()
    }];
    task.devices = vec![Device {
        task_path: "/dev/kvm".into(),
        host_path: "/dev/kvm".into(),
        cgroup_permissions: "rw".into(),
    }];
    task.stdout_path = task.alloc_dir.join("alloc/logs/.web.stdout.fifo");
    task.stderr_path = task.alloc_dir.join("alloc/logs/.web.stderr.fifo");
    let operator = [
        ("unveil_by_task", Value::Bool(true)),
        ("unveil_paths", list(&["r:/etc/mime.types"])),
    ];
    check(
        "exec2-everything",
        &driver(Kind::Exec2, &operator)
            .lower_as(&task, &dynamic())
            .unwrap(),
    );
}

#[test]
fn exec2_root_without_defaults() {
    let task = unveiled(
        &[("command", "/usr/bin/env".into())],
        "/opt/nomad/alloc_mounts",
    );
    let operator = [
        ("unveil_defaults", Value::Bool(false)),
        ("unveil_paths", list(&["rx:/usr", "rw:/run/app"])),
    ];
    check(
        "exec2-root-without-defaults",
        &driver(Kind::Exec2, &operator)
            .lower_as(&task, &root())
            .unwrap(),
    );
}

#[test]
fn exec2_below_tmp() {
    let mut task = unveiled(
        &[
            ("command", "env".into()),
            ("unveil", list(&["r:/tmp/shared", "rwc:/tmp/scratch"])),
        ],
        "/tmp/NomadClient1/alloc_mounts",
    );
    task.alloc_dir = Path::new("/tmp/NomadClient1/alloc").join(ALLOC);
    let operator = [("unveil_by_task", Value::Bool(true))];
    check(
        "exec2-below-tmp",
        &driver(Kind::Exec2, &operator)
            .lower_as(&task, &dynamic())
            .unwrap(),
    );
}

// Statements about what the golden files only show.

fn exec2(unveil: &[&str], user: &User) -> Result<Spec, StartError> {
    let task = unveiled(
        &[("command", "env".into()), ("unveil", list(unveil))],
        "/opt/nomad/alloc_mounts",
    );
    driver(Kind::Exec2, &[("unveil_by_task", Value::Bool(true))]).lower_as(&task, user)
}

fn targets(spec: &Spec) -> Vec<&Path> {
    spec.mounts
        .iter()
        .map(|mount| mount.target.as_path())
        .collect()
}

fn position(spec: &Spec, target: &str) -> Option<usize> {
    targets(spec)
        .iter()
        .position(|found| *found == Path::new(target))
}

fn rule(spec: &Spec, path: &str) -> Option<(Access, Missing)> {
    let rules = &spec.landlock.as_ref().unwrap().rules;
    rules
        .iter()
        .find(|rule| rule.path == Path::new(path))
        .map(|rule| (rule.access, rule.missing))
}

#[test]
fn tmp_is_the_tasks_own_unless_tmp_itself_is_unveiled() {
    let own = format!("/var/lib/encamp/alloc/{ALLOC}/web/tmp");
    let spec = exec2(&["r:/tmp/x"], &dynamic()).unwrap();
    assert_eq!(position(&spec, "/tmp"), Some(0));
    assert!(
        matches!(&spec.mounts[0].source, Source::Bind { path, .. } if *path == Path::new(&own))
    );
    assert!(rule(&spec, "/tmp").is_none());
    let host = exec2(&["rwc:/tmp"], &dynamic()).unwrap();
    let mount = &host.mounts[position(&host, "/tmp").unwrap()];
    assert!(matches!(&mount.source, Source::Bind { path, .. } if path == Path::new("/tmp")));
    let read = exec2(&["r:/tmp"], &dynamic()).unwrap();
    assert_eq!(position(&read, "/tmp"), None);
}

#[test]
fn what_lies_below_the_hosts_tmp_is_shown_in_the_private_one() {
    let spec = exec2(&["r:/tmp/x", "rw:/tmp/y"], &dynamic()).unwrap();
    let read_only = |target: &str| {
        spec.mounts[position(&spec, target).unwrap()]
            .flags
            .read_only
    };
    assert!(read_only("/tmp/x") && !read_only("/tmp/y"));
}

#[test]
fn only_what_is_unveiled_for_writing_is_writable() {
    let spec = exec2(&["rx:/opt/app", "w:/srv/a", "c:/srv/b"], &dynamic()).unwrap();
    assert_eq!(position(&spec, "/opt/app"), None);
    assert!(position(&spec, "/srv/a").is_some() && position(&spec, "/srv/b").is_some());
}

#[test]
fn unveiling_the_whole_host_for_writing_makes_its_root_writable() {
    assert_eq!(
        exec2(&["rwc:/"], &root()).unwrap().root,
        sandbox::spec::Root::Host {
            read_only: false,
            slave: false
        }
    );
    assert_eq!(
        exec2(&["rx:/"], &root()).unwrap().root,
        sandbox::spec::Root::Host {
            read_only: true,
            slave: false
        }
    );
}

#[test]
fn what_no_task_may_see_is_covered_also_below_something_unveiled() {
    let spec = exec2(&["rwc:/var/lib"], &dynamic()).unwrap();
    let cover = position(&spec, "/var/lib/encamp").unwrap();
    assert_eq!(spec.mounts[cover].source, Source::Cover);
    assert!(position(&spec, "/var/lib").unwrap() < cover);
    let told = exec2(&["r:/var/lib/encamp/state/x"], &dynamic())
        .unwrap_err()
        .to_string();
    assert_eq!(
        told,
        "unveil entry \"r:/var/lib/encamp/state/x\" lies in /var/lib/encamp, which no task may see"
    );
}

#[test]
fn the_sockets_below_run_are_out_of_roots_reach() {
    let spec = exec2(&["r:/run/app"], &root()).unwrap();
    let run = position(&spec, "/run").unwrap();
    assert_eq!(spec.mounts[run].source, Source::Cover);
    assert!(run < position(&spec, "/run/app").unwrap());
    assert_eq!(position(&exec2(&[], &dynamic()).unwrap(), "/run"), None);
    assert_eq!(
        position(&exec2(&["r:/run"], &root()).unwrap(), "/run"),
        None
    );
}

#[test]
fn entries_of_one_path_are_joined_and_must_exist() {
    let spec = exec2(&["r:/usr/lib", "w:/usr/lib/", "r:/srv"], &dynamic()).unwrap();
    let (access, missing) = rule(&spec, "/usr/lib").unwrap();
    assert_eq!(
        access,
        Access::READ | Access::WRITE | Access::EXECUTE | Access::IOCTL
    );
    assert_eq!(missing, Missing::Refuse);
    assert_eq!(rule(&spec, "/lib").unwrap().1, Missing::Skip);
}

#[test]
fn a_path_of_the_tasks_own_is_granted_where_it_lies_on_the_host() {
    let inside = format!("rwxc:/opt/nomad/alloc_mounts/{ALLOC}-web/local/bin");
    let spec = exec2(&[&inside], &dynamic()).unwrap();
    assert!(
        rule(
            &spec,
            &format!("/var/lib/encamp/alloc/{ALLOC}/web/local/bin")
        )
        .is_some()
    );
}

#[test]
fn what_is_below_the_own_proc_is_granted_on_all_of_it() {
    let spec = exec2(&["r:/proc/self/mountinfo"], &dynamic()).unwrap();
    assert!(rule(&spec, "/proc/self/mountinfo").is_none());
    assert!(rule(&spec, "/proc").unwrap().0.contains(Access::READ));
    assert!(
        spec.landlock
            .unwrap()
            .rules
            .iter()
            .all(|rule| rule.inside == rule.path.starts_with("/proc"))
    );
}

#[test]
fn a_work_dir_outside_needs_the_operators_leave() {
    let task = |path: &str| {
        unveiled(
            &[("command", "env".into()), ("work_dir", path.into())],
            "/opt/nomad/alloc_mounts",
        )
    };
    let lower = |path, by_task| {
        driver(Kind::Exec2, &[("unveil_by_task", Value::Bool(by_task))])
            .lower_as(&task(path), &dynamic())
    };
    let inside = lower("local/x", false).unwrap();
    assert_eq!(
        inside.command.cwd,
        PathBuf::from(format!("/opt/nomad/alloc_mounts/{ALLOC}-web/local/x"))
    );
    assert_eq!(
        inside.command.env["NOMAD_WORK_DIR"],
        inside.command.cwd.display().to_string()
    );
    let told = "task set work_dir outside sandbox but driver config does not allow this";
    assert_eq!(lower("../x", false).unwrap_err().to_string(), told);
    assert_eq!(lower("/srv", false).unwrap_err().to_string(), told);
    assert!(
        rule(&lower("/srv", true).unwrap(), "/srv")
            .unwrap()
            .0
            .contains(Access::CREATE)
    );
}

#[test]
fn no_mount_of_exec_but_dev_holds_device_nodes() {
    let mut task = task(&[("command", "env".into())]);
    task.mounts = vec![Mount {
        task_path: "/srv".into(),
        host_path: "/srv".into(),
        ..Mount::default()
    }];
    let spec = driver(Kind::Exec, &[]).lower_as(&task, &nobody()).unwrap();
    let with_nodes: Vec<_> = spec
        .mounts
        .iter()
        .filter(|mount| !mount.flags.nodev && mount.source != Source::Cover)
        .collect();
    assert_eq!(with_nodes.len(), 1);
    assert!(with_nodes[0].target == Path::new("/dev") && with_nodes[0].flags.read_only);
}

#[test]
fn mount_points_come_before_what_lies_in_them() {
    let exec = driver(Kind::Exec, &[])
        .lower_as(&task(&[("command", "env".into())]), &nobody())
        .unwrap();
    let exec2 = exec2(&["rw:/run/app", "r:/tmp/x"], &root()).unwrap();
    for spec in [exec, exec2] {
        let targets = targets(&spec);
        for (at, target) in targets.iter().enumerate() {
            let later = &targets[at + 1..];
            assert!(
                !later
                    .iter()
                    .any(|later| target.starts_with(later) && target != later),
                "{} is hidden later",
                target.display()
            );
        }
    }
}

#[test]
fn mistakes_in_a_tasks_configuration_are_told() {
    let told = |kind, config: &[(&str, Value)]| {
        driver(kind, &[])
            .lower_as(&task(config), &nobody())
            .unwrap_err()
            .to_string()
    };
    let required = "command: Missing required argument; The argument \"command\" is required, but no definition was found.";
    assert_eq!(
        told(Kind::Exec, &[]),
        format!("failed to decode driver config: {required}")
    );
    assert_eq!(
        told(Kind::Exec2, &[("command", "".into())]),
        "the command is empty"
    );
    let env = ("command", Value::from("env"));
    let told_unveil = told(Kind::Exec2, &[env, ("unveil", list(&["r:/x"]))]);
    assert_eq!(
        told_unveil,
        "task set unveil paths but driver config does not allow this"
    );
}

#[test]
fn users_are_looked_up_as_nomad_does() {
    let named = |user: &str| TaskConfig {
        user: user.into(),
        ..task(&[])
    };
    let user = |kind, name: &str| {
        driver(kind, &[])
            .user(&named(name))
            .map_err(|error| error.to_string())
    };
    assert_eq!(user(Kind::Exec, "").unwrap().uid, 65534);
    assert_eq!(user(Kind::Exec2, "nomad-80001").unwrap().uid, 80001);
    assert_eq!(user(Kind::Exec2, ""), Err("user must be set".to_owned()));
    let unknown = "user: unknown user alice";
    let failed = "failed host user validation: failed to identify user \"alice\"";
    assert_eq!(
        user(Kind::Exec, "alice"),
        Err(format!("{failed}: {unknown}"))
    );
    let failed = "failed to lookup user: error looking up user \"alice\"";
    assert_eq!(
        user(Kind::Exec2, "alice"),
        Err(format!("{failed}: {unknown}"))
    );
    assert!(user(Kind::Exec, "nomad-80001").is_err());
}

#[test]
fn a_denied_user_is_refused_also_when_it_is_implicit() {
    let driver = driver(Kind::Exec, &[("denied_host_uids", "65534".into())]);
    let told = driver.user(&task(&[])).unwrap_err().to_string();
    assert_eq!(
        told,
        "failed host user validation: running as uid 65534 is disallowed"
    );
}

#[test]
fn what_the_host_mounts_later_shows_to_those_who_can_change_nothing_of_it() {
    let slave = |user: &User| match exec2(&[], user).unwrap().root {
        sandbox::spec::Root::Host { slave, .. } => slave,
        other => panic!("{other:?}"),
    };
    assert!(slave(&dynamic()) && !slave(&root()));
}
