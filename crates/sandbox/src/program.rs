//! A prepared process: descriptors, C strings and ordered steps; no path to look up any more, no decision to take.
use std::ffi::CString;
use std::os::fd::{OwnedFd, RawFd};

use serde::{Deserialize, Serialize};

use crate::enforcement::Enforcement;
use crate::step::Step;

/// What the process that launches needs; it crosses one exec as bytes while its descriptors are inherited under their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// `CLONE_NEW*` of the clone.
    pub clone: u64,
    /// The directory of `CLONE_INTO_CGROUP`.
    pub cgroup: Option<RawFd>,
    /// What the clone does: all of it, or with an init of ours everything up to the domain.
    pub outer: Vec<Step>,
    /// What the process does when init has forked it; `None`: there is no init.
    pub inner: Option<Vec<Step>>,
    /// A directory with a `ptmx`: where terminals for entered commands come from.
    pub terminals: RawFd,
}

/// A program with the descriptors it speaks of.
#[derive(Debug)]
pub struct Prepared {
    /// The steps.
    pub program: Program,
    /// Everything that must stay open until the launch.
    pub fds: Vec<OwnedFd>,
    /// The near end of its input pipe or of its terminal. Not for the process or whoever launches it: it stays here.
    pub near: Option<OwnedFd>,
    /// What was wanted and could not be had, in words.
    pub refusals: Vec<String>,
    /// What the Landlock domain restricts, if there is one.
    pub landlock: Option<Enforcement>,
    /// The executable's path as the process will see it, for messages.
    pub executable: String,
    /// Its first bytes, so that a failed exec can be explained ([`crate::explain`]).
    pub head: Vec<u8>,
}

impl Program {
    /// Step `index` of a report: outer steps first, then inner ones.
    pub fn step(&self, index: usize) -> Option<&Step> {
        self.outer
            .iter()
            .chain(self.inner.iter().flatten())
            .nth(index)
    }

    /// The steps of a command that is entered later: the same restrictions, its own streams, directory and strings.
    pub fn entered(&self, entry: Entry) -> Vec<Step> {
        let mut steps = vec![];
        if self.inner.is_none() {
            steps.extend(
                self.outer
                    .iter()
                    .filter(|step| matches!(step, Step::JoinCgroup { .. } | Step::NewKeyring))
                    .cloned(),
            );
            steps.extend(entry.namespaces);
        }
        steps.push(Step::NewSession);
        steps.push(Step::Stdio { fds: entry.stdio });
        if entry.tty {
            steps.push(Step::ControllingTerminal);
        }
        steps.push(Step::ChangeDirectory {
            target: entry.cwd,
            create: false,
        });
        steps.extend(
            self.inner
                .as_ref()
                .unwrap_or(&self.outer)
                .iter()
                .filter(|step| step.is_restriction())
                .cloned(),
        );
        steps.push(Step::Execute { block: entry.block });
        steps
    }
}

/// What differs from the process for a command that is entered.
#[derive(Debug)]
pub struct Entry {
    /// The namespaces to join (there is no init that is already in them).
    pub namespaces: Vec<Step>,
    /// Descriptors 0, 1 and 2.
    pub stdio: [RawFd; 3],
    /// Descriptor 0 is a terminal to control.
    pub tty: bool,
    /// The working directory.
    pub cwd: CString,
    /// The exec block.
    pub block: RawFd,
}

impl Step {
    /// Whether the step takes something from the process that every later command must lack too.
    fn is_restriction(&self) -> bool {
        matches!(
            self,
            Step::Umask { .. }
                | Step::Bounding { .. }
                | Step::Identity { .. }
                | Step::Capabilities { .. }
                | Step::NoNewPrivs
                | Step::Seccomp { .. }
                | Step::DeathSignal
                | Step::DefaultSignals
                | Step::CloseDescriptors
        )
    }
}
