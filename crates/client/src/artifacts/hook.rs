//! Artifacts as a step before a task's start.
use driver::Kind;
use driver::options::Value;
use jobspec::{Diagnostic, Task};

use super::Failure;
use super::order::Limits;
use super::resolve::resolve;
use super::session::{Session, Site};
use crate::config::{Code, diagnostic};
use crate::environment::value_of;
use crate::event::TaskEvent;
use crate::place::Views;
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

    fn site(&self) -> Site {
        let node = &self.ground.settings.node;
        let exec = operator_config(Kind::Exec, node);
        Site {
            alloc_dir: self.ground.allocation.alloc_dir.clone(),
            views: self.ground.views.clone(),
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
        let (env, node) = (start.env, &self.ground.allocation.node);
        let known = |name: &str| value_of(name, env, node);
        let site = self.site();
        let session = self.session.get_or_insert_with(|| Session::new(site));
        let fetched = session.fetch(
            &self.ground.member.task.artifacts,
            known,
            start.stopping,
            start.tell,
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

/// What is wrong with the artifacts of a task, as far as that can be said before anything is made.
pub(crate) fn mistakes<'v>(
    task: &Task,
    views: &Views,
    known: impl Fn(&str) -> Option<&'v str>,
) -> Vec<Diagnostic> {
    let found = task.artifacts.iter().filter_map(|artifact| {
        let failure = resolve(artifact, views, Limits::default(), &known).err()?;
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
