//! The hierarchies and controllers that limits need.
use std::path::Path;

use cgroup::{Host, Subsystem, Version, subsystems};

use super::Finding;

/// What Nomad's documentation of `exec` asks for, in its order, with what a lack of it costs here.
const NOMADS: [(&str, Need); 12] = [
    ("cpuset", Need::Some("`cores` cannot be reserved")),
    ("cpu", Need::All),
    ("cpuacct", Need::Some("no CPU time in the stats")),
    ("blkio", Need::Nobody),
    ("memory", Need::All),
    (
        "devices",
        Need::Some("tasks start only where device access can be restricted by cgroup v2 instead"),
    ),
    (
        "freezer",
        Need::Some("a cgroup is killed process by process where there is no cgroup.kill"),
    ),
    ("net_cls", Need::Nobody),
    ("perf_event", Need::Nobody),
    ("net_prio", Need::Nobody),
    ("hugetlb", Need::Nobody),
    ("pids", Need::All),
];

/// What cgroup v2 must offer in `cgroup.controllers`. Device rules and the freezer are part of v2 itself.
const UNIFIED: [(&str, Need); 5] = [
    ("cpuset", Need::Some("`cores` cannot be reserved")),
    ("cpu", Need::All),
    ("io", Need::Nobody),
    ("memory", Need::All),
    ("pids", Need::All),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// No task without it.
    All,
    /// Some tasks miss it, and what.
    Some(&'static str),
    /// Nothing here.
    Nobody,
}

pub(super) fn look() -> Vec<Finding> {
    let host = Host::detect();
    let mut findings = vec![hierarchy(&host)];
    findings.extend(match subsystems() {
        Ok(found) => nomads(&found, &host),
        Err(error) => vec![Finding::warning("cgroup", error.to_string())],
    });
    if let Ok(host) = &host
        && let (Version::V2, Some(unified)) = (host.version, &host.unified)
    {
        findings.extend(unified_controllers(unified));
    }
    findings
}

fn hierarchy(host: &Result<Host, cgroup::Error>) -> Finding {
    match host {
        Ok(host) => Finding::fine("cgroups", described(host)),
        Err(error) => Finding::failure("cgroups", error.to_string())
            .way_out("mount one: mount -t cgroup2 none /sys/fs/cgroup"),
    }
}

fn described(host: &Host) -> String {
    match (host.version, &host.unified) {
        (Version::V2, Some(unified)) => format!("cgroup v2 at {}", unified.display()),
        (Version::V1, Some(unified)) => format!(
            "cgroup v1, with a cgroup2 hierarchy without controllers at {}",
            unified.display()
        ),
        _ => "cgroup v1".to_owned(),
    }
}

/// The twelve names, enabled or not.
fn nomads(found: &[Subsystem], host: &Result<Host, cgroup::Error>) -> Vec<Finding> {
    let is_mounted = |name: &str| {
        host.as_ref().is_ok_and(|host| {
            host.version == Version::V2
                || host.v1.keys().any(|controller| controller.name() == name)
        })
    };
    let one = |(name, need): &(&str, Need)| {
        let subsystem = found.iter().find(|subsystem| subsystem.name == *name);
        let state = match subsystem {
            None => "not built into this kernel",
            Some(subsystem) if !subsystem.enabled => {
                "disabled when the kernel was started (cgroup_disable=)"
            }
            Some(_) if *need != Need::Nobody && !is_mounted(name) => "enabled, but not mounted",
            Some(_) => "enabled",
        };
        controller("cgroup", name, state, *need)
    };
    NOMADS.iter().map(one).collect()
}

fn controller(prefix: &str, name: &str, state: &str, need: Need) -> Finding {
    let check = format!("{prefix}.{name}");
    let text = format!("{prefix} {name}: {state}");
    match need {
        _ if state == "enabled" => Finding::fine(check, text),
        Need::All => Finding::failure(check, format!("{text}; no task can be limited without it")),
        Need::Some(cost) => Finding::warning(check, format!("{text}: {cost}")),
        Need::Nobody => Finding::fine(check, format!("{text}; nothing here uses it")),
    }
}

fn unified_controllers(unified: &Path) -> Vec<Finding> {
    let path = unified.join("cgroup.controllers");
    let available = std::fs::read_to_string(&path).unwrap_or_default();
    let one = |(name, need): &(&str, Need)| {
        let has = available.split_whitespace().any(|found| found == *name);
        let state = if has {
            "enabled"
        } else {
            "not in cgroup.controllers"
        };
        controller("cgroup2", name, state, *need)
    };
    UNIFIED.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn every_one_of_nomads_twelve_is_told() {
        let names: Vec<_> = nomads(&[], &Host::parse("", ""))
            .into_iter()
            .map(|finding| finding.check)
            .collect();
        assert_eq!(names.len(), 12);
        assert_eq!(names[0], "cgroup.cpuset");
    }

    #[test]
    fn what_every_task_needs_fails_and_what_none_needs_does_not() {
        let level =
            |name, need| controller("cgroup", name, "not built into this kernel", need).level;
        assert_eq!(level("memory", Need::All), Level::Failure);
        assert_eq!(level("cpuset", Need::Some("x")), Level::Warning);
        assert_eq!(level("net_cls", Need::Nobody), Level::Fine);
    }

    #[test]
    fn a_controller_that_is_switched_off_says_so() {
        let off = Subsystem {
            name: "memory".to_owned(),
            enabled: false,
        };
        let found = nomads(&[off], &Host::parse("", ""));
        let memory = found
            .iter()
            .find(|finding| finding.check == "cgroup.memory");
        assert!(memory.is_some_and(|memory| memory.text.contains("cgroup_disable=")));
    }
}
