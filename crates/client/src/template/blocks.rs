//! The templates of one task: rendered together, and again those of them whose files have changed.
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jobspec::{Scope, Template, TemplateText};
use sha2::{Digest, Sha256};

use super::files::{Look, Roots, Version};
use super::functions::Surroundings;
use super::render::{Form, Trouble, render};
use super::{check, env_file};
use crate::environment::value_of;
use crate::error::HostError;
use crate::place::{Place, Views};

/// Why a template did not become a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Its text is wrong, or what the text asks for.
    #[error("template {template}:{trouble}")]
    Text {
        /// Its destination, as it was written.
        template: String,
        trouble: Trouble,
    },
    /// Its text cannot be read.
    #[error("template {template}: cannot read the source {path}: {why}")]
    Source {
        template: String,
        path: String,
        why: String,
    },
    /// Its path leads elsewhere.
    #[error("template {template}: {which} path escapes alloc directory")]
    Escape {
        template: String,
        which: &'static str,
    },
    /// The file cannot be written.
    #[error("template {template}: cannot {source}{}", hint(source))]
    Write { template: String, source: HostError },
    /// Its lines are no variables.
    #[error("template {template}: {why}")]
    Env { template: String, why: String },
}

fn hint(error: &HostError) -> &'static str {
    match error
        .source
        .raw_os_error()
        .map(rustix::io::Errno::from_raw_os_error)
    {
        Some(rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR) => {
            ": a part of the path is a link or no directory, and no link is followed when a template is written"
        }
        _ => "",
    }
}

/// What templates see of their task.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) node: Arc<Scope>,
    pub(crate) roots: Roots,
    pub(crate) views: Views,
}

impl Scene {
    fn variable(&self, name: &str) -> Option<&str> {
        value_of(name, &self.env, &self.node)
    }
}

/// One template and what became of it.
#[derive(Debug)]
struct Block {
    template: Template,
    destination: Place,
    /// The files that it was made from, each with its state then; a state is missing where the file was.
    used: Vec<(Place, Option<Version>)>,
    sum: Option<[u8; 32]>,
    env: BTreeMap<String, String>,
}

/// All templates of a task, in the order of the file.
#[derive(Debug)]
pub(crate) struct Blocks {
    scene: Scene,
    blocks: Vec<Block>,
}

impl Blocks {
    pub(crate) fn new(templates: &[Template], scene: Scene) -> Result<Blocks, Failure> {
        let blocks = templates.iter().map(|template| {
            Ok(Block {
                destination: destination(template, &scene)?,
                template: template.clone(),
                used: Vec::new(),
                sum: None,
                env: BTreeMap::new(),
            })
        });
        Ok(Blocks {
            blocks: blocks.collect::<Result<_, Failure>>()?,
            scene,
        })
    }

    /// Renders everything.
    pub(crate) fn render(&mut self) -> Result<(), Failure> {
        for block in &mut self.blocks {
            block.render(&self.scene)?;
        }
        Ok(())
    }

    /// Renders everything as if nothing had been rendered yet.
    pub(crate) fn render_anew(&mut self) -> Result<(), Failure> {
        self.blocks.iter_mut().for_each(|block| block.sum = None);
        self.render()
    }

    /// The variables that templates add to the task's environment.
    pub(crate) fn env(&self) -> impl Iterator<Item = (&String, &String)> {
        self.blocks.iter().flat_map(|block| &block.env)
    }

    pub(crate) fn has_env(&self) -> bool {
        self.blocks.iter().any(|block| block.template.env)
    }

    /// Whether any of them can ever be rendered again.
    pub(crate) fn can_change(&self) -> bool {
        self.blocks.iter().any(Block::can_change)
    }

    /// The places of those whose files are not as they were.
    pub(crate) fn changed(&self) -> Vec<usize> {
        let blocks = self.blocks.iter().enumerate();
        blocks
            .filter(|(_, block)| block.can_change() && block.has_changed(&self.scene.roots))
            .map(|(place, _)| place)
            .collect()
    }

    /// What the files of these templates are like now, to see whether they go on changing.
    pub(crate) fn states(&self, places: &[usize]) -> Vec<Option<Version>> {
        let blocks = places.iter().filter_map(|place| self.blocks.get(*place));
        blocks
            .flat_map(|block| &block.used)
            .map(|(place, _)| self.scene.roots.version(place))
            .collect()
    }

    pub(crate) fn template(&self, place: usize) -> Option<&Template> {
        self.blocks.get(place).map(|block| &block.template)
    }

    /// Renders these again, and says which of them are not as they were.
    pub(crate) fn render_again(&mut self, places: &[usize]) -> Result<Vec<usize>, Failure> {
        let mut different = Vec::new();
        for place in places {
            let Some(block) = self.blocks.get_mut(*place) else {
                continue;
            };
            let before = block.sum;
            match block.render(&self.scene) {
                Ok(()) if block.sum != before => different.push(*place),
                Ok(()) => {}
                // What is being replaced comes back; until then the old text stands.
                Err(_) if block.lacks_a_file() => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(different)
    }
}

fn destination(template: &Template, scene: &Scene) -> Result<Place, Failure> {
    let written = &template.destination.value;
    let place = scene.views.argument(written, |name| scene.variable(name));
    place.map_err(|_| Failure::Escape {
        template: written.clone(),
        which: "template destination",
    })
}

impl Block {
    fn can_change(&self) -> bool {
        !self.template.once && !self.used.is_empty()
    }

    fn has_changed(&self, roots: &Roots) -> bool {
        let mut used = self.used.iter();
        used.any(|(place, version)| roots.version(place) != *version)
    }

    fn lacks_a_file(&self) -> bool {
        self.used.iter().any(|(_, version)| version.is_none())
    }

    /// Makes the file, unless it would be what it was.
    fn render(&mut self, scene: &Scene) -> Result<(), Failure> {
        let name = &self.template.destination.value;
        let mut reading = Reading {
            scene,
            used: Vec::new(),
        };
        let rendered = reading.rendered(&self.template);
        self.used = reading.used;
        let bytes = rendered?;
        let sum = Some(Sha256::digest(&bytes).into());
        if sum == self.sum {
            return Ok(());
        }
        if self.template.env {
            self.env = env_file::parse(&bytes).map_err(|why| Failure::Env {
                template: name.clone(),
                why,
            })?;
        }
        let look = Look {
            mode: self.template.perms,
            uid: self.template.uid,
            gid: self.template.gid,
        };
        let written = scene.roots.write(&self.destination, &bytes, look);
        written.map_err(|source| Failure::Write {
            template: name.clone(),
            source,
        })?;
        self.sum = sum;
        Ok(())
    }
}

/// One rendering, which takes note of the files that it reads.
struct Reading<'a> {
    scene: &'a Scene,
    used: Vec<(Place, Option<Version>)>,
}

impl Reading<'_> {
    fn rendered(&mut self, template: &Template) -> Result<Vec<u8>, Failure> {
        let name = &template.destination.value;
        let text = match &template.from {
            TemplateText::Data { text, .. } => text.value.clone(),
            TemplateText::Source(path) => self.source(name, &path.value)?,
        };
        render(&text, form(template), self).map_err(|trouble| Failure::Text {
            template: name.clone(),
            trouble,
        })
    }

    fn source(&mut self, template: &str, path: &str) -> Result<String, Failure> {
        let place = self
            .scene
            .views
            .argument(path, |name| self.scene.variable(name));
        let place = place.map_err(|_| Failure::Escape {
            template: template.to_owned(),
            which: "template source",
        })?;
        let failed = |why: String| Failure::Source {
            template: template.to_owned(),
            path: path.to_owned(),
            why,
        };
        let bytes = self.read(place).map_err(failed)?;
        String::from_utf8(bytes).map_err(|_| failed("it is not UTF-8".to_owned()))
    }

    fn read(&mut self, place: Place) -> Result<Vec<u8>, String> {
        let read = self.scene.roots.read(&place);
        let version = read.as_ref().ok().map(|(_, version)| *version);
        if !self.used.iter().any(|(known, _)| *known == place) {
            self.used.push((place, version));
        }
        read.map(|(bytes, _)| bytes)
    }
}

impl Surroundings for Reading<'_> {
    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        self.scene.variable(name).map(Cow::Borrowed)
    }

    fn file(&mut self, path: &str) -> Result<Vec<u8>, String> {
        let place = self.scene.views.own(path);
        let place = place.map_err(|_| format!("'{path}' is outside of sandbox"))?;
        self.read(place).map_err(|why| format!("{path}: {why}"))
    }
}

pub(crate) fn form(template: &Template) -> Form<'_> {
    Form {
        left: &template.left_delimiter,
        right: &template.right_delimiter,
        error_on_missing_key: template.error_on_missing_key,
    }
}

/// The mistakes in the text of a template, if the job file holds it.
pub(crate) fn mistake(template: &Template) -> Option<Trouble> {
    match &template.from {
        TemplateText::Data { text, .. } => check(&text.value, form(template)).err(),
        TemplateText::Source(_) => None,
    }
}
