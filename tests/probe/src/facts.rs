//! What a process can say about itself without trying anything. What cannot be read is `null`.
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

/// Namespaces of namespaces(7).
const NAMESPACES: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

/// Everything.
pub(crate) fn all() -> Value {
    let mut facts = identity();
    facts.extend(status());
    facts.extend(surroundings());
    Value::Object(facts)
}

/// From system calls alone, so it is there without a procfs too.
fn identity() -> Map<String, Value> {
    use rustix::process;
    let groups = process::getgroups().map(|groups| {
        groups
            .iter()
            .map(|group| group.as_raw())
            .collect::<Vec<_>>()
    });
    fields([
        ("pid", json!(process::getpid().as_raw_pid())),
        (
            "ppid",
            json!(process::getppid().map_or(0, process::Pid::as_raw_pid)),
        ),
        (
            "sid",
            json!(process::getsid(None).map_or(0, process::Pid::as_raw_pid)),
        ),
        (
            "pgid",
            json!(process::getpgid(None).map_or(0, process::Pid::as_raw_pid)),
        ),
        ("euid", json!(process::geteuid().as_raw())),
        ("egid", json!(process::getegid().as_raw())),
        ("groups", json!(groups.ok())),
        ("nice", json!(process::getpriority_process(None).ok())),
        ("umask", json!(umask())),
        (
            "hostname",
            json!(rustix::system::uname().nodename().to_string_lossy()),
        ),
        (
            "securebits",
            json!(
                rustix::thread::capabilities_secure_bits()
                    .ok()
                    .map(|bits| bits.bits())
            ),
        ),
        ("no_new_privs", json!(rustix::thread::no_new_privs().ok())),
        ("cwd", json!(std::env::current_dir().ok())),
        ("argv", json!(std::env::args().collect::<Vec<_>>())),
        ("env", json!(environment())),
    ])
}

/// From `/proc/self/status`.
fn status() -> Map<String, Value> {
    let text = fs::read_to_string("/proc/self/status").ok();
    let field = |name: &str| {
        let line = text
            .as_ref()?
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|value| value.trim().to_owned())
    };
    let numbers = |name: &str| {
        field(name).map(|value| {
            value
                .split_whitespace()
                .filter_map(|word| word.parse::<u32>().ok())
                .collect::<Vec<_>>()
        })
    };
    let number = |name: &str| field(name).and_then(|value| value.parse::<u64>().ok());
    fields([
        ("uid", json!(numbers("Uid"))),
        ("gid", json!(numbers("Gid"))),
        (
            "capabilities",
            json!({
                "inheritable": field("CapInh"), "permitted": field("CapPrm"), "effective": field("CapEff"),
                "bounding": field("CapBnd"), "ambient": field("CapAmb"),
            }),
        ),
        (
            "signals",
            json!({"blocked": field("SigBlk"), "ignored": field("SigIgn"), "caught": field("SigCgt")}),
        ),
        ("seccomp", json!(number("Seccomp"))),
        ("seccomp_filters", json!(number("Seccomp_filters"))),
        ("threads", json!(number("Threads"))),
    ])
}

/// From the rest of `/proc` and the tree.
fn surroundings() -> Map<String, Value> {
    let namespaces: BTreeMap<_, _> = NAMESPACES
        .iter()
        .map(|name| (name, link(&format!("/proc/self/ns/{name}"))))
        .collect();
    fields([
        ("namespaces", json!(namespaces)),
        ("cgroups", json!(lines("/proc/self/cgroup"))),
        (
            "mounts",
            json!(lines("/proc/self/mountinfo").map(|lines| {
                lines
                    .iter()
                    .filter_map(|line| mount(line))
                    .collect::<Vec<_>>()
            })),
        ),
        ("descriptors", json!(descriptors())),
        (
            "limits",
            json!(lines("/proc/self/limits").map(|lines| limits(&lines))),
        ),
        (
            "oom_score_adj",
            json!(
                lines("/proc/self/oom_score_adj")
                    .and_then(|lines| lines.first()?.parse::<i32>().ok())
            ),
        ),
        ("tty_nr", json!(tty_nr())),
        ("executable", json!(link("/proc/self/exe"))),
        ("pids", json!(pids())),
        ("root", json!(names("/"))),
        ("dev", json!(names("/dev"))),
    ])
}

fn fields<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Reading it means setting it.
fn umask() -> u32 {
    let mask = rustix::process::umask(rustix::fs::Mode::empty());
    rustix::process::umask(mask);
    mask.bits()
}

fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .collect()
}

fn lines(path: &str) -> Option<Vec<String>> {
    Some(
        fs::read_to_string(path)
            .ok()?
            .lines()
            .map(String::from)
            .collect(),
    )
}

fn link(path: &str) -> Option<String> {
    Some(fs::read_link(path).ok()?.to_string_lossy().into_owned())
}

/// Names in a directory, sorted.
pub(crate) fn names(path: &str) -> Option<Vec<String>> {
    let entries = fs::read_dir(path).ok()?;
    let mut names: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Some(names)
}

fn pids() -> Option<Vec<i32>> {
    let mut pids: Vec<i32> = names("/proc")?
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    pids.sort_unstable();
    Some(pids)
}

/// Open descriptors and what they are; the one that lists them is left out.
fn descriptors() -> Option<BTreeMap<String, String>> {
    let names = names("/proc/self/fd")?;
    Some(
        names
            .into_iter()
            .filter_map(|name| link(&format!("/proc/self/fd/{name}")).map(|target| (name, target)))
            .collect(),
    )
}

/// Field 7 of proc_pid_stat(5): 0 without a controlling terminal.
fn tty_nr() -> Option<i32> {
    let text = fs::read_to_string(Path::new("/proc/self/stat")).ok()?;
    text.rsplit_once(") ")?.1.split(' ').nth(4)?.parse().ok()
}

/// One line of proc_pid_mountinfo(5).
fn mount(line: &str) -> Option<Value> {
    let (left, right) = line.split_once(" - ")?;
    let left: Vec<_> = left.split(' ').collect();
    let right: Vec<_> = right.split(' ').collect();
    Some(json!({
        "root": left.get(3)?,
        "target": left.get(4)?,
        "options": left.get(5)?.split(',').collect::<Vec<_>>(),
        "propagation": left.get(6..)?,
        "fstype": right.first()?,
        "source": right.get(1)?,
        "super_options": right.get(2)?.split(',').collect::<Vec<_>>(),
    }))
}

/// proc_pid_limits(5): soft and hard, as text, since one of them may be `unlimited`.
fn limits(lines: &[String]) -> BTreeMap<String, [String; 2]> {
    let parse = |line: &String| {
        let (name, values) = line.split_at_checked(26)?;
        let mut values = values.split_whitespace().map(String::from);
        Some((name.trim().to_owned(), [values.next()?, values.next()?]))
    };
    lines.iter().skip(1).filter_map(parse).collect()
}
