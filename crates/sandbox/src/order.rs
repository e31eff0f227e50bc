//! The order of the steps, and why each is where it is. `docs/launch.md` tells the same in prose.
use std::os::fd::RawFd;

use rustix::thread::CapabilitySet;

use crate::program::Program;
use crate::seccomp::Instruction;
use crate::spec::{Init, Network, Root, Sharing, Spec};
use crate::step::Step;

/// Descriptors that `prepare` has made, by what they are for.
#[derive(Debug)]
pub(crate) struct Parts {
    /// v1 `tasks` files.
    pub(crate) threads: Vec<RawFd>,
    /// v2 directory.
    pub(crate) cgroup: Option<RawFd>,
    /// The network namespace with its path, or the loopback device of a new one.
    pub(crate) network: Option<Step>,
    /// What becomes `/`.
    pub(crate) root: Option<Step>,
    /// Attach, mount, cover, in the spec's order.
    pub(crate) mounts: Vec<Step>,
    /// Mounts that become read-only when everything on them is attached.
    pub(crate) seals: Vec<Step>,
    /// Masked and read-only paths.
    pub(crate) closed: Vec<Step>,
    /// Rules that can only be added inside.
    pub(crate) rules: Vec<Step>,
    /// The ruleset.
    pub(crate) ruleset: Option<RawFd>,
    /// Which of its denials are recorded.
    pub(crate) ruleset_flags: u32,
    /// 0, 1 and 2.
    pub(crate) stdio: [RawFd; 3],
    /// They are a terminal that the process controls.
    pub(crate) controls_terminal: bool,
    /// The working directory.
    pub(crate) cwd: Step,
    /// The hostname.
    pub(crate) hostname: Option<Step>,
    /// Whether the value can be set here.
    pub(crate) oom_score_adj: Option<i32>,
    /// The system call filter.
    pub(crate) filter: Option<Vec<Instruction>>,
    /// The exec block.
    pub(crate) block: RawFd,
    /// The directory with `ptmx`.
    pub(crate) terminals: RawFd,
    /// What this process holds: nothing else can be given.
    pub(crate) held: u64,
}

/// Puts the program together.
pub(crate) fn program(spec: &Spec, parts: Parts) -> Program {
    let (clone, cgroup, terminals) = (clone_flags(spec), parts.cgroup, parts.terminals);
    let mut outer = host_side(spec, &parts);
    outer.extend(tree(spec, &parts));
    let own = process(spec, &parts);
    let inner = match spec.init {
        Init::Ours => Some(own),
        Init::Process => {
            outer.extend(own);
            None
        }
    };
    Program {
        clone,
        cgroup,
        outer,
        inner,
        terminals,
    }
}

fn clone_flags(spec: &Spec) -> u64 {
    let mut flags = libc::CLONE_NEWNS as u64;
    if spec.namespaces.pid == Sharing::Private {
        flags |= libc::CLONE_NEWPID as u64;
    }
    if spec.namespaces.ipc == Sharing::Private {
        flags |= libc::CLONE_NEWIPC as u64;
    }
    if spec.namespaces.net == Some(Network::Private) {
        flags |= libc::CLONE_NEWNET as u64;
    }
    if spec.namespaces.hostname.is_some() {
        flags |= libc::CLONE_NEWUTS as u64;
    }
    flags
}

/// While the host's tree is still `/`.
fn host_side(spec: &Spec, parts: &Parts) -> Vec<Step> {
    let mut steps = vec![];
    // Before anything is charged to somebody else's cgroup.
    steps.extend(
        parts
            .threads
            .iter()
            .map(|threads| Step::JoinCgroup { threads: *threads }),
    );
    if spec.init == Init::Ours {
        // Init has no business with the session of whoever launches; the process gets one of its own later.
        steps.push(Step::NewSession);
    }
    // As root, whose quota of keys it counts against; before the filter can refuse it. Init's is that of all its children.
    steps.push(Step::NewKeyring);
    // Through the host's procfs: the one inside may have it masked.
    steps.extend(parts.oom_score_adj.map(|value| Step::OomScoreAdj { value }));
    // Before sysfs is mounted, which shows the network namespace of whoever mounts it.
    steps.extend(parts.network.clone());
    steps.extend(parts.hostname.clone());
    // Before the first mount, or the host would see it (mount_namespaces(7)).
    steps.push(match spec.root {
        Root::Host { slave: false, .. } => Step::PrivateMounts,
        _ => Step::SlaveMounts,
    });
    steps
}

/// From the host's tree to the process's own.
fn tree(spec: &Spec, parts: &Parts) -> Vec<Step> {
    let mut steps = vec![];
    // Before anything is attached: what is attached later is writable only where it says so.
    steps.extend(parts.root.clone());
    steps.extend(parts.mounts.iter().cloned());
    // After whatever is attached on them has its mount point.
    steps.extend(parts.seals.iter().cloned());
    // After the procfs and sysfs they lie on; after /dev, whose null covers files.
    steps.extend(parts.closed.iter().cloned());
    // After the procfs they speak of.
    steps.extend(parts.rules.iter().cloned());
    if spec.init == Init::Process {
        // Without an init of ours the directory is the process's own matter, made before the domain can refuse it.
        steps.push(parts.cwd.clone());
    }
    // Last of the tree: inside a domain nothing can be mounted any more (landlock(7)).
    steps.extend(parts.ruleset.map(|ruleset| Step::Restrict {
        ruleset,
        flags: parts.ruleset_flags,
    }));
    if spec.init == Init::Ours {
        // After the mounts. A process with CAP_SYS_PTRACE can take init over, so init holds no more than it has to.
        steps.push(init_capabilities(spec, parts));
    }
    steps
}

/// What init needs to make another user of what it forks, to enter that user's directory and to end it; and what it gives away.
const INIT: CapabilitySet = CapabilitySet::DAC_READ_SEARCH
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETPCAP);

fn init_capabilities(spec: &Spec, parts: &Parts) -> Step {
    let kept = (INIT.bits() | spec.capabilities.permitted.0 | spec.capabilities.inheritable.0)
        & parts.held;
    Step::Capabilities {
        permitted: kept,
        effective: kept,
        inheritable: 0,
        ambient: 0,
    }
}

/// What only the process itself gets, after init has forked it if there is one.
fn process(spec: &Spec, parts: &Parts) -> Vec<Step> {
    let held = |set: crate::spec::CapabilitySet| set.0 & parts.held;
    let sets = spec.capabilities;
    let permitted = held(sets.permitted);
    let inheritable = held(sets.inheritable);
    let mut steps = vec![Step::NewSession, Step::Stdio { fds: parts.stdio }];
    if parts.controls_terminal {
        // After the session, which must not have one, and after descriptor 0, which is it (ioctl_tty(2), TIOCSCTTY).
        steps.push(Step::ControllingTerminal);
    }
    if spec.init == Init::Ours {
        steps.push(parts.cwd.clone());
    }
    steps.push(Step::Umask { mask: spec.umask });
    let filter = parts.filter.clone().map(|filter| Step::Seccomp { filter });
    if !spec.no_new_privs {
        // Without no_new_privs it takes CAP_SYS_ADMIN, so before that is given away (seccomp(2)).
        steps.extend(filter.clone());
    }
    // While CAP_SETPCAP is still effective (capabilities(7), "Capability bounding set").
    steps.push(Step::Bounding {
        keep: sets.bounding.0,
    });
    let identity = &spec.identity;
    steps.push(Step::Identity {
        uid: identity.uid,
        gid: identity.gid,
        groups: identity.groups.clone(),
    });
    // After the uid: leaving uid 0 clears the effective set.
    steps.push(Step::Capabilities {
        permitted,
        effective: held(sets.effective),
        inheritable,
        ambient: held(sets.ambient) & permitted & inheritable,
    });
    if spec.no_new_privs {
        steps.push(Step::NoNewPrivs);
    }
    if spec.namespaces.pid == Sharing::Host {
        // After the uid: changing it clears the signal (prctl(2), PR_SET_PDEATHSIG).
        steps.push(Step::DeathSignal);
    }
    // Late: until here a signal must not end the process half-made.
    steps.push(Step::DefaultSignals);
    steps.push(Step::CloseDescriptors);
    if spec.no_new_privs {
        // Last: it may name what any other step needs.
        steps.extend(filter);
    }
    steps.push(Step::Execute { block: parts.block });
    steps
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
