//! What a name in an expression means.
//!
//! While a file is read, the only names with a value are the variables of `%{ for }`; any other stays a template. When
//! `config` is evaluated, every name must have one.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::Value;

/// More than any job needs, and little enough to answer for in time and memory. A file that holds no template cannot
/// reach it.
const STEPS: usize = 16 << 20;

/// The names that are known, and how much work may still be done.
#[derive(Debug)]
pub(crate) struct Names {
    known: Option<Rc<BTreeMap<String, Value>>>,
    loops: Vec<(String, Rc<Value>)>,
    left: Option<usize>,
}

/// What a name means.
#[derive(Debug)]
pub(crate) enum Meaning {
    /// It has a value.
    Value(Rc<Value>),
    /// Each step from it has to be looked up in these.
    Known(Rc<BTreeMap<String, Value>>),
    /// Somebody else will know.
    Literal,
    /// A variable or a local of the file.
    Later,
}

/// Whether there was work left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spent {
    Within,
    /// For the first time.
    JustOver,
    Over,
}

impl Default for Names {
    fn default() -> Self {
        Names {
            known: None,
            loops: Vec::new(),
            left: Some(STEPS),
        }
    }
}

impl Names {
    pub(crate) fn known(tree: BTreeMap<String, Value>) -> Self {
        Names {
            known: Some(Rc::new(tree)),
            ..Names::default()
        }
    }

    pub(crate) fn meaning(&self, name: &str) -> Meaning {
        let variable = self.loops.iter().rev().find(|(known, _)| known == name);
        match (variable, &self.known) {
            (Some((_, value)), _) => Meaning::Value(Rc::clone(value)),
            (None, Some(known)) => Meaning::Known(Rc::clone(known)),
            (None, None) if matches!(name, "var" | "local") => Meaning::Later,
            (None, None) => Meaning::Literal,
        }
    }

    /// The names of all variables there are.
    pub(crate) fn all(&self) -> Vec<String> {
        let known = self.known.iter().flat_map(|known| known.keys());
        let loops = self.loops.iter().map(|(name, _)| name);
        known.chain(loops).cloned().collect()
    }

    pub(crate) fn push(&mut self, name: &str, value: Value) {
        self.loops.push((name.to_owned(), Rc::new(value)));
    }

    pub(crate) fn pop(&mut self) {
        self.loops.pop();
    }

    pub(crate) fn spend(&mut self, steps: usize) -> Spent {
        let Some(left) = self.left else {
            return Spent::Over;
        };
        self.left = left.checked_sub(steps);
        if self.left.is_some() {
            Spent::Within
        } else {
            Spent::JustOver
        }
    }
}
