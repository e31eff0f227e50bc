//! `variable`, `variables` and `locals`: what `var` and `local` mean in a job file.

mod declaration;
mod given;
mod locals;
mod validation;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hcl_edit::structure::{Attribute, Body, Structure};

use crate::codes::*;
use crate::cty::{Type, Value};
use crate::diagnostic::{Diagnostic, Source};
use crate::eval::span;
use crate::names::{Functions, Known, Others};
use crate::report::{Report, Reported};
use crate::{Inputs, Span};

use validation::Rule;

/// A variable of a job file.
#[derive(Debug)]
struct Variable<'b> {
    /// Where it is declared.
    place: Span,
    /// As it says, else that of its default; without both a value is a string.
    kind: Option<Type>,
    /// The default, then whatever was given instead.
    assigned: Option<Assigned>,
    rules: Vec<Rule<'b>>,
    /// Something about it was reported.
    is_broken: bool,
}

/// A value, and who set it.
#[derive(Debug, Clone)]
struct Assigned {
    value: Value,
    from: Origin,
    /// Where, in the job file or in the source.
    place: Span,
    source: Option<Arc<Source>>,
}

/// In Nomad's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Default,
    Environment,
    File,
    Argument,
}

impl Origin {
    fn word(self) -> &'static str {
        match self {
            Origin::Default => "default",
            Origin::Environment => "env",
            Origin::File => "varfile",
            Origin::Argument => "cmd",
        }
    }
}

type Variables<'b> = BTreeMap<String, Variable<'b>>;

/// Reads all variables and locals of a file, and makes them known to its expressions.
pub(crate) fn define(body: &Body, inputs: &Inputs, report: &mut Report<'_>) {
    let mut variables = declaration::all(body, report);
    given::environment(&mut variables, inputs, report);
    given::files(&mut variables, inputs, report);
    given::arguments(&mut variables, inputs, report);
    let (mut values, mut broken) = (BTreeMap::new(), BTreeSet::new());
    for (name, variable) in variables {
        match value(&name, &variable, report) {
            Ok(value) if !variable.is_broken => {
                values.insert(name, value);
            }
            _ => {
                broken.insert(name);
            }
        }
    }
    let roots = [
        ("var", Value::Object(values)),
        ("local", Value::Object(BTreeMap::new())),
    ];
    report.names.replace(Known {
        roots: roots.map(|(name, value)| (name.to_owned(), value)).into(),
        broken: BTreeMap::from([("var", broken)]),
        others: Others::Literal,
        functions: Functions::Job(inputs.base.clone()),
    });
    locals::define(body, report);
}

/// The value that counts, if every rule likes it.
fn value(name: &str, variable: &Variable<'_>, report: &mut Report<'_>) -> Result<Value, Reported> {
    if variable.is_broken {
        return Err(Reported);
    }
    let Some(assigned) = &variable.assigned else {
        let detail = format!(
            "A used variable must be set or have a default value: -var {name}=VALUE, a file for -var-file, or {}{name} in the environment.",
            Inputs::PREFIX
        );
        let unset = Diagnostic::new(UNSET_VARIABLE, variable.place.clone(), detail);
        return Err(report.add(unset.summary(format!("Unset variable {name:?}"))));
    };
    validation::check(name, variable, assigned, report)?;
    Ok(assigned.value.clone())
}

/// The attributes of a body that has no blocks.
fn attributes<'b>(body: &'b Body, report: &mut Report<'_>) -> Vec<&'b Attribute> {
    let mut attributes = Vec::new();
    for structure in body {
        match structure {
            Structure::Attribute(attribute) => attributes.push(attribute),
            Structure::Block(block) => {
                let kind = block.ident.as_str();
                let unexpected = Diagnostic::new(
                    UNSUPPORTED_BLOCK,
                    span(&block.ident),
                    "Blocks are not allowed here.",
                );
                report.add(unexpected.summary(format!("Unexpected {kind:?} block")));
            }
        }
    }
    attributes
}

/// Evaluates where neither names nor functions can be used.
fn constant<T>(report: &mut Report<'_>, read: impl FnOnce(&mut Report<'_>) -> T) -> T {
    let nothing = Known {
        others: Others::Forbidden,
        functions: Functions::Forbidden,
        ..Known::default()
    };
    report.knowing(nothing, read)
}
