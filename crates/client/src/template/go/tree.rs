//! What a template says.
use std::collections::BTreeMap;
use std::ops::Range;

use super::value::Value;

pub(super) type At = Range<usize>;

/// A parsed template, with the templates that it defines.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(super) main: Vec<Node>,
    pub(super) defined: BTreeMap<String, Vec<Node>>,
    /// The functions that are called anywhere, each time.
    pub(super) calls: Vec<(String, At)>,
}

impl Tree {
    /// The functions that are named anywhere, with their places; also those that no rendering would come to.
    pub(crate) fn calls(&self) -> &[(String, At)] {
        &self.calls
    }
}

#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template {
        at: At,
        name: String,
        pipe: Option<Pipe>,
    },
    Break,
    Continue,
}

#[derive(Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Option<Vec<Node>>,
}

#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) at: At,
    /// The variables that take the result.
    pub(super) variables: Vec<String>,
    /// Whether they are there already.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Command>,
}

#[derive(Debug)]
pub(super) struct Command {
    pub(super) operands: Vec<Operand>,
}

#[derive(Debug)]
pub(super) struct Operand {
    pub(super) at: At,
    pub(super) term: Term,
}

#[derive(Debug)]
pub(super) enum Term {
    Dot,
    Nil,
    Literal(Value),
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Function(String),
    Pipe(Box<Pipe>),
    Chain(Box<Operand>, Vec<String>),
}
