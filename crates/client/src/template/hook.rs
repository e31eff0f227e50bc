//! Templates as a step before each start of a task.
use std::sync::Arc;

use jobspec::{Change, ChangeScript};

use super::blocks::{Blocks, Scene};
use super::files::Roots;
use super::watch::{Action, Watch, Watched, watch};
use crate::dirs::Dir;
use crate::error::HostError;
use crate::runner::hook::{
    Ask, Asks, Ground, Hook, HookError, Next, OnFailure, Prestart, Recovery,
};

/// In messages.
const NAME: &str = "template";

/// The templates of one task.
pub(crate) struct Templates<'a> {
    ground: Ground<'a>,
    /// Once they are rendered.
    watched: Option<(Arc<Watched>, Asks)>,
    /// If any of them can change.
    watch: Option<Watch>,
    /// Scripts to be run after the first rendering.
    first: Vec<ChangeScript>,
}

impl<'a> Templates<'a> {
    /// Nothing, for a task without templates.
    pub(crate) fn of(ground: Ground<'a>) -> Option<Templates<'a>> {
        let templates = &ground.member.task.templates;
        let scripts = templates
            .iter()
            .filter_map(|template| match &template.change {
                Change::Script(script) if script.run_on_first_render => Some(script.clone()),
                _ => None,
            });
        (!templates.is_empty()).then(|| Templates {
            first: scripts.collect(),
            watched: None,
            watch: None,
            ground,
        })
    }

    fn roots(&self) -> Result<Roots, HostError> {
        let alloc = Dir::open(&self.ground.allocation.alloc_dir)?;
        Ok(Roots {
            task: alloc.child(&self.ground.member.task.name)?,
            shared: alloc.child("alloc")?,
        })
    }

    fn render(&self, start: &Prestart<'_>) -> Result<Arc<Watched>, HookError> {
        let scene = Scene {
            env: start.env.clone(),
            node: self.ground.allocation.node.clone(),
            roots: self.roots().map_err(give_up)?,
            views: self.ground.views.clone(),
        };
        let mut blocks = Blocks::new(&self.ground.member.task.templates, scene).map_err(give_up)?;
        blocks.render().map_err(give_up)?;
        Ok(Watched::new(blocks))
    }

    /// Watches the files that were read, if any ever matter again.
    fn begin_to_watch(&mut self, watched: Arc<Watched>, asks: Asks) -> Result<(), HookError> {
        if watched.blocks().can_change() {
            let to = asks.clone();
            let watch = watch(&watched, move |action| to.send(ask(action)));
            self.watch = Some(watch.map_err(give_up)?);
        }
        self.watched = Some((watched, asks));
        Ok(())
    }
}

impl Hook for Templates<'_> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn prestart(&mut self, start: &mut Prestart<'_>) -> Result<Next, HookError> {
        let renders_again = self.ground.member.task.restart.render_templates;
        match &self.watched {
            None => {
                let watched = self.render(start)?;
                self.begin_to_watch(watched, start.asks.clone())?;
            }
            Some((watched, _)) if renders_again => {
                watched.blocks().render_anew().map_err(give_up)?;
            }
            Some(_) => {}
        }
        let Some((watched, _)) = &self.watched else {
            return Ok(Next::Done);
        };
        let blocks = watched.blocks();
        let env = blocks.env();
        start
            .more_env
            .extend(env.map(|(name, value)| (name.clone(), value.clone())));
        // What was rendered again since then is in the environment of the next start only.
        Ok(if blocks.has_env() || renders_again {
            Next::Again
        } else {
            Next::Done
        })
    }

    fn started(&mut self) {
        if let Some((_, asks)) = &self.watched {
            for script in self.first.drain(..) {
                asks.send(ask(Action::Script(script)));
            }
        }
    }

    fn stop(&mut self) {
        self.watch = None;
    }
}

/// What a template failed at stays wrong however often it is tried.
fn give_up(source: impl std::error::Error + Send + Sync + 'static) -> HookError {
    HookError {
        source: Box::new(source),
        recovery: Recovery::GiveUp,
    }
}

/// Nomad's words for what templates ask of a task.
fn ask(action: Action) -> Ask {
    match action {
        Action::Restart => Ask::Restart {
            reason: "Template with change_mode restart re-rendered".to_owned(),
        },
        Action::Signal(signal) => Ask::Signal {
            signal,
            reason: "Template re-rendered".to_owned(),
        },
        Action::Script(script) => {
            let mut command = vec![script.command.value];
            command.extend(script.args);
            Ask::Script {
                command,
                limit: script.timeout,
                on_failure: if script.fail_on_error {
                    OnFailure::Fail
                } else {
                    OnFailure::GoOn
                },
            }
        }
        Action::Fail(reason) => Ask::Fail { hook: NAME, reason },
    }
}
