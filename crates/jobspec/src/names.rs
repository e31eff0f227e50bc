//! What a name in an expression means.
//!
//! While a job file is read, `var`, `local` and the variables of loops have values; any other name stays a template. When
//! `config` is evaluated, every name must have one. A variable's default and what it is set to know no names at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

use crate::cty::Value;
use crate::steps::Steps;

/// The names that are known, which functions there are, and how much work may still be done.
#[derive(Debug)]
pub(crate) struct Names {
    known: Rc<Known>,
    loops: Vec<Loop>,
    /// The names that each local refers to: whatever uses the local refers to them, too.
    pub(crate) references: BTreeMap<String, BTreeSet<String>>,
    /// What the copies of `dynamic` blocks know; an expression of theirs says which it is.
    scopes: Vec<Rc<[Loop]>>,
    /// What may still be done.
    pub(crate) steps: Steps,
}

/// A name and its value, for a while.
type Loop = (String, Rc<Value>);

/// What is the same for a whole text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) roots: BTreeMap<String, Value>,
    /// Variables and locals that were found wrong before: a use of theirs says nothing new.
    pub(crate) broken: BTreeMap<&'static str, BTreeSet<String>>,
    pub(crate) others: Others,
    pub(crate) functions: Functions,
}

/// What becomes of a name without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Others {
    /// Somebody else will know it.
    #[default]
    Literal,
    /// It is a mistake.
    Unknown,
    /// No name may stand here.
    Forbidden,
}

/// Which functions can be called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Functions {
    /// None may stand here.
    #[default]
    Forbidden,
    /// Those of a job file; those that read files look from this directory, or are refused.
    Job(Option<PathBuf>),
    /// The few of `config`'s second evaluation.
    Config,
}

/// What a name means.
#[derive(Debug)]
pub(crate) enum Meaning {
    /// It has a value.
    Value(Rc<Value>),
    /// Each step from it has to be looked up in these.
    Root(Rc<Known>),
    /// Somebody else will know.
    Literal,
    /// Nobody knows.
    Unknown,
    /// It may not stand here.
    Forbidden,
}

impl Default for Names {
    fn default() -> Self {
        Names::known(Known::default())
    }
}

impl Names {
    pub(crate) fn known(known: Known) -> Self {
        Names {
            known: Rc::new(known),
            loops: Vec::new(),
            references: BTreeMap::new(),
            scopes: Vec::new(),
            steps: Steps::default(),
        }
    }

    /// The same budget for other names.
    pub(crate) fn replace(&mut self, known: Known) -> Rc<Known> {
        std::mem::replace(&mut self.known, Rc::new(known))
    }

    pub(crate) fn restore(&mut self, known: Rc<Known>) {
        self.known = known;
    }

    pub(crate) fn functions(&self) -> &Functions {
        &self.known.functions
    }

    /// One more name of a root object: `local.x`.
    pub(crate) fn define(&mut self, root: &'static str, name: &str, value: Option<Value>) {
        let known = Rc::make_mut(&mut self.known);
        match value {
            Some(value) => {
                let root = known.roots.entry(root.to_owned());
                if let Value::Object(values) =
                    root.or_insert_with(|| Value::Object(BTreeMap::new()))
                {
                    values.insert(name.to_owned(), value);
                }
            }
            None => {
                known
                    .broken
                    .entry(root)
                    .or_default()
                    .insert(name.to_owned());
            }
        }
    }

    pub(crate) fn is_broken(&self, root: &str, name: &str) -> bool {
        let broken = self.known.broken.get(root);
        broken.is_some_and(|broken| broken.contains(name))
    }

    pub(crate) fn meaning(&self, name: &str) -> Meaning {
        if let Some((_, value)) = self.loops.iter().rev().find(|(known, _)| known == name) {
            return Meaning::Value(Rc::clone(value));
        }
        if self.known.roots.contains_key(name) {
            return Meaning::Root(Rc::clone(&self.known));
        }
        match self.known.others {
            Others::Literal => Meaning::Literal,
            Others::Unknown => Meaning::Unknown,
            Others::Forbidden => Meaning::Forbidden,
        }
    }

    /// The names of all variables there are.
    pub(crate) fn all(&self) -> Vec<String> {
        let loops = self.loops.iter().map(|(name, _)| name);
        self.known.roots.keys().chain(loops).cloned().collect()
    }

    pub(crate) fn push(&mut self, name: &str, value: Value) {
        self.loops.push((name.to_owned(), Rc::new(value)));
    }

    pub(crate) fn depth(&self) -> usize {
        self.loops.len()
    }

    pub(crate) fn truncate(&mut self, depth: usize) {
        self.loops.truncate(depth);
    }

    /// The names of the loops that we are in, for expressions that are evaluated later.
    pub(crate) fn capture(&mut self) -> usize {
        self.scopes.push(self.loops.clone().into());
        self.scopes.len() - 1
    }

    /// Knows again what was captured; what comes back is the depth to go back to.
    pub(crate) fn enter(&mut self, scope: usize) -> usize {
        let depth = self.depth();
        if let Some(captured) = self.scopes.get(scope) {
            self.loops.extend(captured.iter().cloned());
        }
        depth
    }
}
