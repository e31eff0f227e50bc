//! Artifacts as a step before a task's start.
use std::collections::BTreeMap;

use driver::Kind;
use driver::options::Value;
use jobspec::{Diagnostic, Task};

use super::order::Limits;
use super::resolve::resolve;
use super::session::{Progress, Session, Site};
use super::{Failure, Views};
use crate::allocation::Allocation;
use crate::config::{Code, diagnostic};
use crate::environment::value_of;
use crate::event::TaskEvent;
use crate::plan::operator_config;
use crate::runner::hook::{Ground, Hook, HookError, Next, Prestart, Recovery};

/// Nomad's name for what a task does meanwhile.
const KIND: &str = "Downloading Artifacts";

/// Fetches what the task's `artifact` blocks name.
pub(crate) struct Artifacts<'a> {
    ground: Ground<'a>,
    /// From the first start on.
    session: Option<Session>,
}

impl<'a> Artifacts<'a> {
    /// `None`: the task has none.
    pub(crate) fn of(ground: &Ground<'a>) -> Option<Artifacts<'a>> {
        let has_some = !ground.member.task.artifacts.is_empty();
        has_some.then(|| Artifacts {
            ground: ground.clone(),
            session: None,
        })
    }

    fn site(&self, env: &BTreeMap<String, String>) -> Site {
        let node = &self.ground.settings.node;
        let exec = operator_config(Kind::Exec, node);
        Site {
            alloc_dir: self.ground.allocation.alloc_dir.clone(),
            views: Views::of(&self.ground.member.task.name, env),
            owner: self.ground.owner,
            cgroup: self.ground.cgroup.clone(),
            limits: node.artifact.clone(),
            no_pivot_root: exec.get("no_pivot_root") == Some(&Value::Bool(true)),
        }
    }
}

impl Hook for Artifacts<'_> {
    fn name(&self) -> &'static str {
        "artifacts"
    }

    fn prestart(&mut self, start: &mut Prestart<'_>) -> Result<Next, HookError> {
        (start.tell)(TaskEvent::Hook {
            kind: KIND,
            message: "Client is downloading artifacts",
        });
        let (env, allocation) = (start.env, self.ground.allocation);
        let known = |name: &str| value_of(name, env, allocation);
        let site = self.site(env);
        let session = self.session.get_or_insert_with(|| Session::new(site));
        let fetched = session.fetch(
            &self.ground.member.task.artifacts,
            known,
            start.stopping,
            &mut |progress| tell(&progress, start.tell),
        );
        match fetched {
            // Whoever asked for the end is heard next.
            Ok(()) | Err(Failure::Aborted) => Ok(Next::Done),
            Err(failure) => Err(HookError {
                recovery: match failure.is_recoverable() {
                    true => Recovery::Retry,
                    false => Recovery::GiveUp,
                },
                source: Box::new(failure),
            }),
        }
    }
}

fn tell(progress: &Progress<'_>, tell: &dyn Fn(TaskEvent<'_>)) {
    tell(match *progress {
        Progress::Coming {
            source,
            bytes,
            total,
        } => TaskEvent::Fetching {
            source,
            bytes,
            total,
        },
        Progress::LeftOut {
            source,
            count,
            first,
        } => TaskEvent::LeftOut {
            source,
            count,
            first,
        },
        Progress::Done {
            source,
            bytes,
            took,
        } => TaskEvent::Fetched {
            source,
            bytes,
            took,
        },
    });
}

/// What is wrong with the artifacts of a task, as far as that can be said before anything is made.
pub(crate) fn mistakes(
    task: &Task,
    env: &BTreeMap<String, String>,
    allocation: &Allocation,
) -> Vec<Diagnostic> {
    let views = Views::of(&task.name, env);
    let known = |name: &str| value_of(name, env, allocation);
    let found = task.artifacts.iter().filter_map(|artifact| {
        let failure = resolve(artifact, &views, Limits::default(), known).err()?;
        let (place, reason) = match failure {
            Failure::Source { reason, .. } => (&artifact.source.span, reason),
            Failure::Destination { reason, .. } => (&artifact.destination.span, reason),
            _ => return None,
        };
        let within = format!("task {:?} artifact", task.name);
        Some(diagnostic(Code::Artifact, reason, place.clone(), within))
    });
    found.collect()
}
