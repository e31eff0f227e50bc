//! A host whose PID 1 is systemd: it owns the cgroup tree in which ours lies, and looks at it again at each reload.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use suite::host::pids_named;
use suite::need::require;
use suite::{HostState, Need, Running, World};

use crate::strings;

const NEEDS: &[Need] = &[Need::Root, Need::Cgroup, Need::Systemd];

/// Where units live that are gone after the next boot.
const UNITS: &str = "/run/systemd/system";

/// What systemd might take away, in the task's cgroup and, by its controllers, in those above it.
const LIMITS: [&str; 5] = [
    "memory.max",
    "memory.swap.max",
    "cpu.weight",
    "cpu.max",
    "pids.max",
];

const MEMORY_MB: u64 = 64;
const TOO_MUCH_MB: &str = "256";

/// 128 + SIGKILL.
const KILLED: i32 = 137;

/// How long something that ends may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn systemctl(words: &[&str]) {
    let output = Command::new("systemctl").args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "systemctl {words:?}: {said}");
}

/// Everything that makes systemd look at the cgroup tree: a reload, and a unit with limits of its own that comes and goes.
fn reload() {
    let unit = Path::new(UNITS).join("neighbour.service");
    let text = "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n\
        CPUWeight=50\nMemoryMax=32M\nTasksMax=20\nIOWeight=50\n";
    std::fs::create_dir_all(UNITS).unwrap();
    std::fs::write(&unit, text).unwrap();
    systemctl(&["daemon-reload"]);
    systemctl(&["start", "neighbour.service"]);
    systemctl(&["stop", "neighbour.service"]);
    std::fs::remove_file(&unit).unwrap();
    systemctl(&["daemon-reload"]);
}

/// A task that waits for SIGINT, and its cgroup's directory.
fn waiting(world: &World, driver: &str) -> (Running, PathBuf) {
    let job = world
        .job(driver, &["facts", ",", "catch", "INT", "0"])
        .task(&format!("resources {{ memory = {MEMORY_MB} }}"));
    let running = world.start(&job);
    let said = running.wait_for_stdout(crate::CATCHING);
    let facts: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    let cgroups = strings(&facts["cgroups"]);
    let path = cgroups
        .iter()
        .find_map(|line| line.strip_prefix("0::/"))
        .unwrap_or_else(|| panic!("{cgroups:?}"));
    (running, Path::new("/sys/fs/cgroup").join(path))
}

/// Limits and members of a cgroup, and the controllers of each one above it.
fn state(cgroup: &Path) -> BTreeMap<PathBuf, String> {
    let files = LIMITS
        .iter()
        .chain(["cgroup.procs"].iter())
        .map(|name| cgroup.join(name));
    let above = cgroup
        .ancestors()
        .skip(1)
        .map(|directory| directory.join("cgroup.subtree_control"))
        .filter(|path| path.exists());
    files
        .chain(above)
        .filter_map(|path| Some((path.clone(), std::fs::read_to_string(path).ok()?)))
        .collect()
}

#[test]
fn limits_and_members_are_the_same_after_a_reload() {
    if !require(NEEDS) {
        return;
    }
    let world = World::alone();
    let before = HostState::take();
    for driver in crate::DRIVERS {
        let (running, cgroup) = waiting(&world, driver);
        let set = state(&cgroup);
        assert_eq!(
            set[&cgroup.join("memory.max")].trim(),
            (MEMORY_MB << 20).to_string(),
            "{driver}"
        );
        assert!(!set[&cgroup.join("cgroup.procs")].is_empty(), "{driver}");
        reload();
        assert_same(&set, &state(&cgroup), driver);
        running.signal(rustix::process::Signal::INT);
        let _ = running.wait().exited(0);
    }
    before.assert_restored(PATIENCE);
}

/// Controllers of parents that are not ours may have become more, never fewer.
#[track_caller]
fn assert_same(
    before: &BTreeMap<PathBuf, String>,
    after: &BTreeMap<PathBuf, String>,
    driver: &str,
) {
    for (path, text) in before {
        let now = after
            .get(path)
            .unwrap_or_else(|| panic!("{driver}: {} is gone", path.display()));
        if path.ends_with("cgroup.subtree_control") {
            for controller in text.split_whitespace() {
                assert!(
                    now.split_whitespace().any(|word| word == controller),
                    "{driver}: {controller} is gone from {}: {now}",
                    path.display()
                );
            }
        } else {
            assert_eq!(text, now, "{driver}: {}", path.display());
        }
    }
}

#[test]
fn memory_is_still_limited_after_a_reload() {
    if !require(NEEDS) {
        return;
    }
    let world = World::alone();
    let before = HostState::take();
    for driver in crate::DRIVERS {
        let job = world
            .job(
                driver,
                &[
                    "say",
                    "up",
                    ",",
                    "sleep",
                    "20",
                    ",",
                    "eat-memory",
                    TOO_MUCH_MB,
                ],
            )
            .task(&format!("resources {{ memory = {MEMORY_MB} }}"));
        let running = world.start(&job);
        let _ = running.wait_for_stdout("up");
        systemctl(&["daemon-reload"]);
        let _ = running.wait().exited(KILLED);
    }
    before.assert_restored(PATIENCE);
}

#[test]
fn a_run_in_a_unit_ends_with_the_unit_and_leaves_nothing() {
    if !require(NEEDS) {
        return;
    }
    let world = World::alone();
    for driver in crate::DRIVERS {
        let _ = world.run(&world.job(driver, &["exit", "0"])).exited(0);
        let run = world.command(&world.job(driver, &["sleep", "600"]));
        let before = HostState::take();
        let words = std::iter::once(run.get_program()).chain(run.get_args());
        let line: Vec<_> = words.map(|word| word.to_str().unwrap()).collect();
        let text = format!(
            "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart={} --rm\n",
            line.join(" ")
        );
        let unit = Path::new(UNITS).join("ours.service");
        std::fs::create_dir_all(UNITS).unwrap();
        std::fs::write(&unit, text).unwrap();
        systemctl(&["daemon-reload"]);
        systemctl(&["start", "ours.service"]);
        wait_for_a_task();
        systemctl(&["daemon-reload"]);
        systemctl(&["stop", "ours.service"]);
        std::fs::remove_file(&unit).unwrap();
        systemctl(&["daemon-reload"]);
        before.assert_restored(PATIENCE);
    }
}

fn wait_for_a_task() {
    let deadline = Instant::now() + suite::run::patience(PATIENCE);
    while pids_named(suite::binaries::PROBE_PREFIX).is_empty() {
        assert!(Instant::now() < deadline, "no task runs");
        std::thread::sleep(Duration::from_millis(50));
    }
}
