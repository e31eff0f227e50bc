//! The functions that can be called: Nomad's list, with its names for parameters and its messages.
//!
//! Each takes its arguments in the types that its parameters ask for, and gives a value or the reason why there is none. Work that
//! grows faster than what was given is paid for first (`Call::spend`): a job file may ask for anything.

mod address;
mod collection;
mod csv;
mod date;
mod digest;
mod document;
mod encoding;
mod files;
mod format;
mod json;
mod number;
mod rsa;
mod set;
mod string;
mod timestamp;
mod verb;
mod yaml;
mod yaml_text;

use crate::call::{Call, Failure};
use crate::cty::{Type, Value};
use crate::names::Functions;

pub(crate) use document::{keys as json_keys, value as json_value};

/// What a function makes of its arguments.
type Run = fn(Vec<Value>, &mut Call<'_, '_>) -> Result<Value, Failure>;

/// A function.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [Parameter],
    /// For all further arguments, if there may be any.
    pub(crate) rest: Option<Parameter>,
    pub(crate) run: Run,
}

impl Function {
    pub(crate) fn parameter(&self, at: usize) -> Option<&Parameter> {
        self.parameters.get(at).or(self.rest.as_ref())
    }
}

/// A parameter, with the name it has in messages.
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// As it is; null is refused.
    Any,
    /// As it is, or null.
    Nullable,
    String,
    Number,
    Strings,
    List,
    Set,
}

impl Parameter {
    pub(crate) fn wants(&self) -> Type {
        match self.kind {
            Kind::Any | Kind::Nullable => Type::Any,
            Kind::String => Type::String,
            Kind::Number => Type::Number,
            Kind::Strings => Type::list(Type::String),
            Kind::List => Type::list(Type::Any),
            Kind::Set => Type::Set(Box::new(Type::Any)),
        }
    }

    pub(crate) fn may_be_null(&self) -> bool {
        self.kind == Kind::Nullable
    }
}

const fn any(name: &'static str) -> Parameter {
    Parameter {
        name,
        kind: Kind::Any,
    }
}

const fn nullable(name: &'static str) -> Parameter {
    Parameter {
        name,
        kind: Kind::Nullable,
    }
}

const fn string(name: &'static str) -> Parameter {
    Parameter {
        name,
        kind: Kind::String,
    }
}

const fn number(name: &'static str) -> Parameter {
    Parameter {
        name,
        kind: Kind::Number,
    }
}

const fn strings(name: &'static str) -> Parameter {
    Parameter {
        name,
        kind: Kind::Strings,
    }
}

const fn list(name: &'static str) -> Parameter {
    Parameter {
        name,
        kind: Kind::List,
    }
}

const fn set(name: &'static str) -> Parameter {
    Parameter {
        name,
        kind: Kind::Set,
    }
}

const fn fixed(name: &'static str, parameters: &'static [Parameter], run: Run) -> Function {
    Function {
        name,
        parameters,
        rest: None,
        run,
    }
}

const fn variadic(
    name: &'static str,
    parameters: &'static [Parameter],
    rest: Parameter,
    run: Run,
) -> Function {
    Function {
        name,
        parameters,
        rest: Some(rest),
        run,
    }
}

/// Of a job file, but for `try`, `can` and `convert`, which do not take values.
const FAMILIES: [&[Function]; 12] = [
    address::FUNCTIONS,
    collection::FUNCTIONS,
    csv::FUNCTIONS,
    date::FUNCTIONS,
    digest::FUNCTIONS,
    encoding::FUNCTIONS,
    files::FUNCTIONS,
    format::FUNCTIONS,
    json::FUNCTIONS,
    number::FUNCTIONS,
    set::FUNCTIONS,
    string::FUNCTIONS,
];

const SPECIAL: [&str; 3] = ["can", "convert", "try"];

/// Of `config`'s second evaluation: those that Nomad's client knows.
const OF_CONFIG: [&str; 15] = [
    "abs",
    "coalesce",
    "concat",
    "hasindex",
    "int",
    "jsondecode",
    "jsonencode",
    "length",
    "lower",
    "max",
    "min",
    "reverse",
    "strlen",
    "substr",
    "upper",
];

/// What only the client knows.
const ONLY_OF_CONFIG: [&str; 2] = ["hasindex", "int"];

/// The function of that name, where it can be called.
pub(crate) fn find(name: &str, where_: &Functions) -> Option<&'static Function> {
    let known = match where_ {
        Functions::Forbidden => false,
        Functions::Job(_) => !ONLY_OF_CONFIG.contains(&name),
        Functions::Config => OF_CONFIG.contains(&name),
    };
    let all = || FAMILIES.iter().flat_map(|family| family.iter());
    all().find(|function| known && function.name == name)
}

/// The names of all that can be called.
pub(crate) fn names(where_: &Functions) -> Vec<&'static str> {
    let all = FAMILIES
        .iter()
        .flat_map(|family| family.iter())
        .map(|function| function.name);
    let special = SPECIAL
        .into_iter()
        .filter(|_| matches!(where_, Functions::Job(_)));
    all.filter(|name| find(name, where_).is_some())
        .chain(special)
        .collect()
}
