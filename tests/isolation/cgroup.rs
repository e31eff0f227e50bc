//! cgroups(7): where a task is, what it may use, and who is not in there with it.
use std::path::{Path, PathBuf};

use suite::World;
use suite::need::require;

use crate::{DRIVERS, EXEC_NEEDS, facts, strings};

/// Controllers that matter on v1; each has a directory of the task's own.
const V1: [&str; 5] = ["cpu", "devices", "freezer", "memory", "pids"];

/// Memory of the jobs here, and what they try to take.
const MEMORY_MB: u64 = 64;
const TOO_MUCH_MB: &str = "256";

/// 128 + SIGKILL.
const KILLED: i32 = 137;

fn is_v1() -> bool {
    Path::new("/sys/fs/cgroup/memory/cgroup.procs").exists()
}

/// The paths of the task in the hierarchies that matter, from `/proc/<pid>/cgroup`.
fn paths(lines: &[String]) -> Vec<String> {
    let wanted = |controllers: &str| {
        if is_v1() {
            controllers.split(',').any(|name| V1.contains(&name))
        } else {
            controllers.is_empty()
        }
    };
    let mut paths = Vec::new();
    for line in lines {
        let mut fields = line.splitn(3, ':').skip(1);
        if let (Some(controllers), Some(path)) = (fields.next(), fields.next())
            && wanted(controllers)
        {
            paths.push(path.to_owned());
        }
    }
    paths
}

#[test]
fn the_task_has_a_cgroup_of_its_own_in_every_hierarchy_that_matters() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let facts = facts(&world, &world.job(driver, &[]));
        let paths = paths(&strings(&facts["cgroups"]));
        assert_eq!(
            paths.len(),
            if is_v1() { V1.len() } else { 1 },
            "{driver}: {paths:?}"
        );
        let alloc = facts["env"]["NOMAD_ALLOC_ID"].as_str().unwrap();
        for path in paths {
            assert!(
                path.starts_with("/encamp") && path.contains(&format!("{alloc}.t")),
                "{driver}: {path}"
            );
        }
    }
}

#[test]
fn the_shim_is_not_in_the_tasks_cgroup() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::alone();
    for driver in DRIVERS {
        let running = world.start(&world.job(driver, &["facts", ",", "catch", "INT", "0"]));
        let _ = running.wait_for_stdout(crate::CATCHING);
        let shim = crate::crash::shim();
        let lines: Vec<_> = std::fs::read_to_string(format!("/proc/{shim}/cgroup"))
            .unwrap()
            .lines()
            .map(String::from)
            .collect();
        assert!(
            !lines.iter().any(|line| line.contains("/encamp")),
            "{driver}: {lines:?}"
        );
        running.signal(rustix::process::Signal::INT);
        let _ = running.wait().exited(0);
    }
}

#[test]
fn memory_is_the_limit_that_the_job_asks_for() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let job = world
            .job(driver, &["facts", ",", "catch", "INT", "0"])
            .task(&format!("resources {{ memory = {MEMORY_MB} }}"));
        let running = world.start(&job);
        let line = running.wait_for_stdout(crate::CATCHING);
        let facts: serde_json::Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
        let limit = std::fs::read_to_string(limit_file(&strings(&facts["cgroups"]))).unwrap();
        assert_eq!(limit.trim(), (MEMORY_MB << 20).to_string(), "{driver}");
        running.signal(rustix::process::Signal::INT);
        let _ = running.wait().exited(0);
    }
}

fn limit_file(lines: &[String]) -> PathBuf {
    let (prefix, base, file) = if is_v1() {
        (":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes")
    } else {
        ("0::", "/sys/fs/cgroup", "memory.max")
    };
    let path = lines
        .iter()
        .find_map(|line| line.split_once(prefix))
        .unwrap_or_else(|| panic!("no {prefix} in {lines:?}"))
        .1;
    Path::new(base)
        .join(path.trim_start_matches('/'))
        .join(file)
}

#[test]
fn too_much_memory_kills_the_task_and_is_said() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let job = world
            .job(driver, &["eat-memory", TOO_MUCH_MB])
            .task(&format!("resources {{ memory = {MEMORY_MB} }}"));
        let outcome = world.run(&job).exited(KILLED);
        assert!(
            outcome.stderr.to_lowercase().contains("memory") || outcome.stderr.contains("OOM"),
            "{outcome}"
        );
    }
}

#[test]
fn cgroups_cannot_be_changed_from_inside() {
    if !require(EXEC_NEEDS) {
        return;
    }
    let world = World::shared();
    for driver in DRIVERS {
        let facts = facts(&world, &world.job(driver, &[]).user("root"));
        let limit = limit_file(&strings(&facts["cgroups"]));
        let inside = format!("/sys/fs/cgroup/encamp-inside-{}", std::process::id());
        // Opened for writing and nothing written.
        let job = world
            .job(
                driver,
                &["write", limit.to_str().unwrap(), ",", "mkdir", &inside],
            )
            .user("root");
        assert!(
            crate::errnos(&world, &job).iter().all(Option::is_some),
            "{driver}"
        );
        let _ = std::fs::remove_dir(&inside);
    }
}
