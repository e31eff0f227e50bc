//! Processors against the kernel of this machine, as root.
#![deny(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]
mod world;

use std::path::Path;
use std::process::Child;

use cgroup::{Cgroup, Controller, CpuSet, Limits, Partition};
use world::{LIMIT, World, enter, skip, text, wait_for_sleep, wait_until};

/// A world on a host with a cpuset controller and two processors, and all of those.
fn world() -> Option<(World, CpuSet)> {
    let world = World::new().filter(|world| world.has(&[Controller::Cpuset]))?;
    let usable = world.host.usable_cpus().unwrap();
    match usable.len() {
        0 | 1 => skip("controllers", "one processor cannot be shared out"),
        _ => Some((world, usable)),
    }
}

impl World {
    fn share(&self, cpus: &CpuSet) -> Result<(), cgroup::Error> {
        self.host.share_cpus(Some(&self.parent), cpus)
    }

    fn reserve(&self, name: &str, cpus: &CpuSet) -> Cgroup {
        let (paths, _) = self
            .host
            .standalone_in(Partition::Reserve, Some(&self.parent), name)
            .unwrap();
        let cgroup = Cgroup::create(&paths).unwrap();
        let limits = Limits {
            cpuset_cpus: Some(cpus.to_string()),
            ..Limits::default()
        };
        cgroup.apply(&limits).unwrap();
        cgroup
    }
}

/// Where the kernel lets a process run.
fn allowed(child: &Child) -> CpuSet {
    let status = text(Path::new(&format!("/proc/{}", child.id())), "status");
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.unwrap().parse().unwrap()
}

fn sleeper(cgroup: &Cgroup) -> Child {
    let child = enter(cgroup, "exec sleep 1000");
    wait_for_sleep(&child);
    child
}

#[test]
fn reserved_processors_are_nobody_elses() {
    let Some((world, usable)) = world() else {
        return;
    };
    let reserved: CpuSet = usable.iter().take(1).collect();
    let others = usable.difference(&reserved);
    world.share(&usable).unwrap();
    let share = world.cgroup("id.share");
    let mut sharing = sleeper(&share);
    assert_eq!(allowed(&sharing), usable);

    world.share(&others).unwrap();
    let own = world.reserve("id.own", &reserved);
    let mut owning = sleeper(&own);
    assert_eq!(
        (allowed(&sharing), allowed(&owning)),
        (others.clone(), reserved)
    );
    let late = world.cgroup("id.late");
    let mut late_sharing = sleeper(&late);
    assert_eq!(allowed(&late_sharing), others);

    own.empty(LIMIT).unwrap();
    own.remove().unwrap();
    let _ = owning.wait().unwrap();
    world.share(&usable).unwrap();
    wait_until("giving back", || allowed(&sharing) == usable);
    for (cgroup, child) in [(share, &mut sharing), (late, &mut late_sharing)] {
        cgroup.empty(LIMIT).unwrap();
        let _ = child.wait().unwrap();
        cgroup.remove().unwrap();
    }
}

#[test]
fn what_stands_already_is_taken_as_it_is() {
    let Some((world, usable)) = world() else {
        return;
    };
    let others: CpuSet = usable.iter().skip(1).collect();
    for cpus in [&others, &others, &usable, &usable, &others] {
        world.share(cpus).unwrap();
        let cgroup = world.cgroup("id.a");
        let mut child = sleeper(&cgroup);
        assert_eq!(allowed(&child), *cpus);
        cgroup.empty(LIMIT).unwrap();
        let _ = child.wait().unwrap();
    }
}

#[test]
fn a_share_with_processes_keeps_a_processor() {
    let Some((world, usable)) = world() else {
        return;
    };
    world.share(&CpuSet::default()).unwrap();
    world.share(&usable).unwrap();
    let cgroup = world.cgroup("id.a");
    let mut child = sleeper(&cgroup);
    let error = world.share(&CpuSet::default()).unwrap_err().to_string();
    assert!(error.contains("left without a processor"), "{error}");
    assert_eq!(allowed(&child), usable);
    cgroup.empty(LIMIT).unwrap();
    let _ = child.wait().unwrap();
}

#[test]
fn processors_that_the_host_has_not_are_named() {
    let Some((world, usable)) = world() else {
        return;
    };
    let absent = CpuSet::from_iter([65_000]);
    let error = world.share(&usable.union(&absent)).unwrap_err().to_string();
    assert!(
        error.contains("this host has no processors 65000"),
        "{error}"
    );
}
