//! The system call filter under an operator's configuration, and in commands beside the task.
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::*;

const PERM: i64 = 1;
const BADF: i64 = 9;
const FAULT: i64 = 14;
const INVAL: i64 = 22;
const NOSYS: i64 = 38;

/// keyctl asked for the session keyring, and what the kernel answers without a filter.
const KEYCTL: (&str, i64) = ("64:250:0:-3:0", 0);

/// Commands run until they are killed.
const SLEEP: &str = "sleep 600";

/// `tests/isolation/call.c`, built once.
fn call() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/isolation/call.c");
        let built = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("call");
        let status = Command::new("cc")
            .args(["-O1", "-static", "-pthread", "-o"])
            .arg(&built)
            .arg(source)
            .status()
            .unwrap();
        assert!(status.success(), "cc {source}");
        built
    })
}

/// A task that sleeps, under an operator's configuration, with `call` in its `local`.
pub(crate) fn sleeping(
    kind: Kind,
    name: &str,
    config: &[(&'static str, Value)],
    operator: &[(&str, Value)],
) -> (World, Task) {
    let config = [sh(SLEEP), config.to_vec()].concat();
    let mut world = world(kind, &format!("{name}-{}", kind.name()), &config).quiet();
    world.driver = driver_under(kind, &world.root, operator);
    let local = world.task.alloc_dir.join("web/local/call");
    fs::copy(call(), local).unwrap();
    let task = world.start().unwrap_or_else(|error| {
        panic!(
            "{error}: {:?}",
            std::error::Error::source(&error).map(ToString::to_string)
        )
    });
    (world, task)
}

/// What a command beside the task prints.
pub(crate) fn beside(task: &Task, argv: &[&str]) -> String {
    let argv: Vec<String> = argv.iter().map(|&arg| arg.to_owned()).collect();
    let output = task.exec(&argv, Some(Duration::from_secs(60))).unwrap();
    String::from_utf8(output.output).unwrap()
}

/// The errno that each attempt meets beside the task.
fn met(task: &Task, attempts: &[&str]) -> Vec<i64> {
    let printed = beside(task, &[&["local/call"], attempts].concat());
    let errno = |line: &str| line.rsplit(' ').next()?.parse().ok();
    let met: Vec<i64> = printed.lines().filter_map(errno).collect();
    assert_eq!(met.len(), attempts.len(), "{printed}");
    met
}

/// A field of the status of the task's own process, which is the host's to read.
fn status(task: &Task, field: &str) -> String {
    let pid = &task.inspect().unwrap().attributes["pid"];
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.unwrap().trim_start_matches(':').trim().to_owned()
}

#[test]
fn a_command_beside_the_task_has_the_very_filter() {
    if !privileged() {
        return;
    }
    for kind in [Kind::Exec, Kind::Exec2] {
        let (_world, task) = sleeping(kind, "filter", &[], &[]);
        assert_eq!(status(&task, "Seccomp"), "2");
        assert_eq!(status(&task, "Seccomp_filters"), "1");
        let own = beside(&task, &["grep", "^Seccomp", "/proc/self/status"]);
        assert_eq!(own, "Seccomp:\t2\nSeccomp_filters:\t1\n", "{kind:?}");
        let attempts = [KEYCTL.0, "32:288:0:-3:0", "64:435:0:0", "threads"];
        assert_eq!(met(&task, &attempts), [PERM, PERM, NOSYS, 0], "{kind:?}");
        task.destroy(true).unwrap();
    }
}

#[test]
fn the_operator_can_switch_it_off() {
    if !privileged() {
        return;
    }
    for kind in [Kind::Exec, Kind::Exec2] {
        let off = [("seccomp", Value::Bool(false))];
        let (_world, task) = sleeping(kind, "nofilter", &[], &off);
        assert_eq!(status(&task, "Seccomp"), "0");
        let attempts = [KEYCTL.0, "64:435:0:0", "64:16:-1:0x5412", "threads"];
        assert_eq!(
            met(&task, &attempts),
            [KEYCTL.1, INVAL, BADF, 0],
            "{kind:?}"
        );
        task.destroy(true).unwrap();
    }
}

#[test]
fn a_capability_lifts_its_own_calls() {
    if !privileged() {
        return;
    }
    // Each is answered by the kernel's own look at its arguments, and would be refused by a filter before that.
    let lifted = [
        ("bpf", "64:321:-1:0:0", INVAL),
        ("perfmon", "64:298:0:0:0:0:0", FAULT),
        ("sys_admin", "64:308:-1:0", BADF),
        ("sys_admin", "64:435:0:0", INVAL),
        ("sys_admin", "64:165:0:0:0:0:0", FAULT),
        ("sys_admin", "64:16:-1:0x5412", BADF),
        ("sys_admin", "32:120:0x10000200:0:0:0:0", INVAL),
    ];
    for kind in [Kind::Exec, Kind::Exec2] {
        for (capability, attempt, answer) in lifted {
            let list = || Value::from(&[capability][..]);
            let (_world, task) = sleeping(
                kind,
                "lifted",
                &[("cap_add", list())],
                &[("allow_caps", list())],
            );
            let attempts = [attempt, KEYCTL.0];
            assert_eq!(
                met(&task, &attempts),
                [answer, PERM],
                "{kind:?} {capability}"
            );
            task.destroy(true).unwrap();
        }
        let (_world, task) = sleeping(kind, "unlifted", &[], &[]);
        let attempts = lifted.map(|(_, attempt, _)| attempt);
        let met = met(&task, &attempts);
        assert!(
            met.iter().all(|errno| [PERM, NOSYS].contains(errno)),
            "{met:?}"
        );
        task.destroy(true).unwrap();
    }
}

/// Makes a cgroupfs of its own in a user namespace and, from outside of that, where it has CAP_DAC_OVERRIDE over the host's files,
/// writes through it.
const ESCAPE: &str = "mkdir -p /tmp/c
unshare -UrmC sh -c '
    mount -t cgroup -o pids none /tmp/c || mount -t cgroup2 none /tmp/c || exit 1
    echo mounted; exec sleep 30' > /tmp/said 2>&1 &
inner=$!
tries=0
until grep -q . /tmp/said || test $tries = 100; do tries=$((tries + 1)); sleep 0.05; done
echo max > /proc/$inner/root/tmp/c/pids.max
cat /tmp/said
kill $inner";

#[test]
fn an_exec_task_cannot_lift_its_own_limits_from_a_user_namespace() {
    if !privileged() {
        return;
    }
    let (world, task) = sleeping(Kind::Exec, "escape", &[], &[]);
    let limit = || {
        let pids = world.cgroup.of(cgroup::Controller::Pids).unwrap();
        fs::read_to_string(pids.join("pids.max")).unwrap()
    };
    let before = limit();
    assert_ne!(before, "max\n");
    let said = beside(&task, &["sh", "-c", ESCAPE]);
    assert_eq!(limit(), before, "{said}");
    assert!(
        said.contains("Operation not permitted") && !said.contains("mounted"),
        "{said}"
    );
    task.destroy(true).unwrap();
}
