//! Types as they are written: `list(string)`, `object({ a = number })`.

use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::expr::{Expression, FuncCall, ObjectKey};

use super::Type;
use crate::call::no_namespace;
use crate::codes::{Code, INVALID_TYPE};
use crate::eval::span;
use crate::report::{Report, Reported};

const CODE: Code = INVALID_TYPE;

/// How much of a type must be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Openness {
    /// All of it, as Nomad wants it of a variable.
    Exact,
    /// `any` and `optional(…)` may stand in it.
    Open,
}

/// Reads a type.
pub(crate) fn constraint(
    expr: &Expression,
    openness: Openness,
    report: &mut Report<'_>,
) -> Result<Type, Reported> {
    match expr {
        Expression::Variable(name) => keyword(name.as_str(), expr, openness, report),
        Expression::FuncCall(call) => constructor(call, expr, openness, report),
        _ => wrong(
            expr,
            "A type specification is either a primitive type keyword (bool, number, string) or a complex type constructor call, like list(string).",
            report,
        ),
    }
}

fn wrong<T>(
    at: &Expression,
    detail: impl Into<String>,
    report: &mut Report<'_>,
) -> Result<T, Reported> {
    Err(report.error(CODE, span(at), detail))
}

fn keyword(
    name: &str,
    expr: &Expression,
    openness: Openness,
    report: &mut Report<'_>,
) -> Result<Type, Reported> {
    match name {
        "bool" => Ok(Type::Bool),
        "string" => Ok(Type::String),
        "number" => Ok(Type::Number),
        "any" if openness == Openness::Open => Ok(Type::Any),
        "any" => wrong(
            expr,
            "The keyword \"any\" cannot be used in this type specification: an exact type is required.",
            report,
        ),
        "list" | "map" | "set" | "object" | "tuple" => wrong(expr, one_argument(name), report),
        other => wrong(
            expr,
            format!("The keyword {other:?} is not a valid type specification."),
            report,
        ),
    }
}

fn one_argument(name: &str) -> String {
    let argument = match name {
        "object" => "the attribute types and values as a map",
        "tuple" => "the element types as a list",
        _ => "the element type",
    };
    format!("The {name} type constructor requires one argument specifying {argument}.")
}

fn constructor(
    call: &FuncCall,
    expr: &Expression,
    openness: Openness,
    report: &mut Report<'_>,
) -> Result<Type, Reported> {
    if !call.name.namespace.is_empty() {
        return Err(no_namespace(&call.name, report));
    }
    let name = call.name.name.as_str();
    match name {
        "bool" | "string" | "number" => {
            return wrong(
                expr,
                format!("Primitive type keyword {name:?} does not expect arguments."),
                report,
            );
        }
        "any" => {
            return wrong(
                expr,
                "Type constraint keyword \"any\" does not expect arguments.",
                report,
            );
        }
        "optional" => {
            return wrong(
                expr,
                "Keyword \"optional\" is valid only as a modifier for object type attributes.",
                report,
            );
        }
        "list" | "set" | "map" | "object" | "tuple" => {}
        other => {
            return wrong(
                expr,
                format!("Keyword {other:?} is not a valid type constructor."),
                report,
            );
        }
    }
    let Some(argument) = call.args.get(0).filter(|_| call.args.len() == 1) else {
        return wrong(expr, one_argument(name), report);
    };
    match name {
        "object" => object(argument, openness, report),
        "tuple" => tuple(argument, openness, report),
        _ => {
            let item = Box::new(constraint(argument, openness, report)?);
            Ok(match name {
                "list" => Type::List(item),
                "set" => Type::Set(item),
                _ => Type::Map(item),
            })
        }
    }
}

fn tuple(
    argument: &Expression,
    openness: Openness,
    report: &mut Report<'_>,
) -> Result<Type, Reported> {
    let Expression::Array(items) = argument else {
        return wrong(
            argument,
            "Tuple type constructor requires a list of element types.",
            report,
        );
    };
    let items: Vec<_> = items
        .iter()
        .map(|item| constraint(item, openness, report))
        .collect();
    items.into_iter().collect::<Result<_, _>>().map(Type::Tuple)
}

fn object(
    argument: &Expression,
    openness: Openness,
    report: &mut Report<'_>,
) -> Result<Type, Reported> {
    let Expression::Object(items) = argument else {
        let detail = "Object type constructor requires a map whose keys are attribute names and whose values are the corresponding attribute types.";
        return wrong(argument, detail, report);
    };
    let (mut types, mut optional) = (BTreeMap::new(), BTreeSet::new());
    let mut result = Ok(());
    for (key, value) in items {
        let name = match key {
            ObjectKey::Ident(name) => name.as_str().to_owned(),
            ObjectKey::Expression(Expression::Variable(name)) => name.as_str().to_owned(),
            ObjectKey::Expression(other) => {
                result = wrong(
                    other,
                    "Object constructor map keys must be attribute names.",
                    report,
                );
                continue;
            }
        };
        let (written, may_miss) = match unwrapped(value.expr(), openness, report) {
            Ok(attribute) => attribute,
            Err(reported) => {
                result = Err(reported);
                continue;
            }
        };
        match constraint(written, openness, report) {
            Ok(kind) => {
                types.insert(name.clone(), kind);
            }
            Err(reported) => result = Err(reported),
        }
        if may_miss {
            optional.insert(name);
        }
    }
    result.map(|()| Type::Object(types, optional))
}

/// The type inside `optional(…)`, and whether that was there.
fn unwrapped<'e>(
    expr: &'e Expression,
    openness: Openness,
    report: &mut Report<'_>,
) -> Result<(&'e Expression, bool), Reported> {
    let call = match expr {
        Expression::FuncCall(call)
            if call.name.namespace.is_empty() && call.name.name.as_str() == "optional" =>
        {
            call
        }
        _ => return Ok((expr, false)),
    };
    if openness == Openness::Exact {
        return wrong(
            expr,
            "Optional attribute modifier is only for type constraints, not for exact types.",
            report,
        );
    }
    match call.args.get(0) {
        None => wrong(
            expr,
            "Optional attribute modifier requires the attribute type as its argument.",
            report,
        ),
        Some(_) if call.args.len() > 1 => wrong(
            expr,
            "Optional attribute modifier expects only one argument: the attribute type.",
            report,
        ),
        Some(inner) => Ok((inner, true)),
    }
}
