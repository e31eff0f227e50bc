//! What this process lets go of and what it leaves behind.
use std::collections::BTreeSet;
use std::os::fd::RawFd;

use sandbox::Step;
use shim::orders::Orders;

/// Closes the descriptors that only the launch needed: mounts, the ruleset, the process's own streams.
pub(crate) fn close_unneeded(orders: &Orders) {
    let needed = needed(orders);
    for fd in orders.fds.iter().filter(|fd| !needed.contains(fd)) {
        drop(shim::sys::inherit(*fd));
    }
}

/// What entered commands will need.
fn needed(orders: &Orders) -> BTreeSet<RawFd> {
    let mut needed = BTreeSet::from([orders.program.terminals]);
    needed.extend(orders.program.cgroup);
    needed.extend(orders.program.outer.iter().filter_map(|step| match step {
        Step::JoinCgroup { threads } => Some(*threads),
        _ => None,
    }));
    needed
}
