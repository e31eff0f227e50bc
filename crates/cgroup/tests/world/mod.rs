//! A place of a test's own in every hierarchy, and ways into it.
#![allow(dead_code, reason = "no test program uses all of it")]
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cgroup::{Cgroup, Controller, Host, Paths, Version};

pub(crate) const LIMIT: Duration = Duration::from_secs(10);

pub(crate) fn skip<T>(need: &str, reason: &str) -> Option<T> {
    need::unmet(need, reason);
    None
}

/// A parent of our own in every hierarchy, gone with everything below at the end, also of a failed test.
pub(crate) struct World {
    pub(crate) host: Host,
    pub(crate) parent: String,
}

impl World {
    pub(crate) fn new() -> Option<World> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if !rustix::process::geteuid().is_root() {
            return skip("root", "making cgroups needs root");
        }
        let host = match Host::detect() {
            Ok(host) => host,
            Err(error) => return skip("cgroup", &error.to_string()),
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Some(World {
            host,
            parent: format!("encamp-test-{}-{number}", std::process::id()),
        })
    }

    pub(crate) fn paths(&self, name: &str) -> Paths {
        self.host.standalone(Some(&self.parent), name).unwrap().0
    }

    pub(crate) fn cgroup(&self, name: &str) -> Cgroup {
        Cgroup::create(&self.paths(name)).unwrap()
    }

    pub(crate) fn is_v2(&self) -> bool {
        self.host.version == Version::V2
    }

    /// Whether the host has these controllers, on v2 or on v1; says so if not.
    pub(crate) fn has(&self, controllers: &[Controller]) -> bool {
        let on_v2 = match &self.host.unified {
            Some(mount) if self.is_v2() => text(mount, "cgroup.controllers"),
            _ => String::new(),
        };
        let lacks = |controller: &&Controller| {
            !self.host.v1.contains_key(controller)
                && !on_v2.split(' ').any(|name| name == controller.name())
        };
        match controllers.iter().find(lacks) {
            Some(missing) => skip::<()>(
                "controllers",
                &format!("this host lacks {}", missing.name()),
            )
            .is_some(),
            None => true,
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let all = Cgroup::at(&self.host.paths(Path::new(&self.parent)));
        let emptied = all.empty(LIMIT);
        let removed = all.remove();
        if !std::thread::panicking() {
            emptied.unwrap();
            removed.unwrap();
        }
    }
}

/// Runs a shell script after it has entered by the way that `Entry` gives, seen as paths.
pub(crate) fn enter(cgroup: &Cgroup, script: &str) -> Child {
    let paths = cgroup.paths();
    let dirs = paths
        .unified
        .iter()
        .chain(paths.v1.values())
        .chain(paths.shared.values());
    let doors: String = dirs
        .map(|dir| format!("echo 0 > '{}/cgroup.procs' || exit 99\n", dir.display()))
        .collect();
    let mut command = Command::new("/bin/sh");
    command
        .arg("-c")
        .arg(doors + script)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The script has entered everywhere when it has become `sleep`.
pub(crate) fn wait_for_sleep(child: &Child) {
    wait_until("entering", || {
        text(Path::new(&format!("/proc/{}", child.id())), "comm") == "sleep"
    });
}

pub(crate) fn text(dir: &Path, file: &str) -> String {
    fs::read_to_string(dir.join(file))
        .unwrap()
        .trim()
        .to_owned()
}

pub(crate) fn everywhere(paths: &Paths) -> Vec<PathBuf> {
    paths
        .unified
        .iter()
        .chain(paths.v1.values())
        .cloned()
        .collect()
}
