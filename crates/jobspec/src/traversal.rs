//! Variables, and the steps from them: `attr.kernel.name`, `env["X"]`, `list[*].id`.

use hcl_edit::expr::{Expression, Traversal, TraversalOperator};

use crate::codes::*;
use crate::cty::{self, Type, Value};
use crate::diagnostic::Diagnostic;
use crate::eval::{span, typed};
use crate::names::{Known, Meaning};
use crate::report::{Report, Reported};
use crate::suggest::nearest;
use crate::{Span, convert};

type Steps<'a> = &'a [hcl_edit::Decorated<TraversalOperator>];

/// Evaluates a name.
pub(crate) fn variable(expr: &Expression, report: &mut Report<'_>) -> Result<Value, Reported> {
    from(expr, &[], report)
}

/// Evaluates a name, or another expression, and the steps from it.
pub(crate) fn traversal(traversal: &Traversal, report: &mut Report<'_>) -> Result<Value, Reported> {
    from(&traversal.expr, &traversal.operators, report)
}

fn from(root: &Expression, steps: Steps<'_>, report: &mut Report<'_>) -> Result<Value, Reported> {
    let place = span(root);
    let Expression::Variable(name) = root else {
        let value = typed(root, report)?;
        return follow(&value, steps, &place, report);
    };
    let name = name.as_str();
    match report.names.meaning(name) {
        Meaning::Literal => literal(&place, steps, report),
        Meaning::Value(value) => follow(&value, steps, &place, report),
        Meaning::Root(known) => known_root(&known, name, steps, &place, report),
        Meaning::Unknown => Err(unknown(name, &place, report)),
        Meaning::Forbidden => {
            let end = steps.last().map_or(place.end, |step| span(step).end);
            let detail = "Variables may not be used here.";
            Err(report.error(CONSTANT_REQUIRED, place.start..end.max(place.end), detail))
        }
    }
}

fn known_root(
    known: &Known,
    name: &str,
    steps: Steps<'_>,
    place: &Span,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    if first_name(steps).is_some_and(|first| report.names.is_broken(name, first)) {
        return Err(Reported);
    }
    match known.roots.get(name) {
        Some(value) => follow(value, steps, place, report),
        None => Err(unknown(name, place, report)),
    }
}

/// `x` of `.x` or `["x"]`.
pub(crate) fn first_name(steps: Steps<'_>) -> Option<&str> {
    match &**steps.first()? {
        TraversalOperator::GetAttr(name) => Some(name.as_str()),
        TraversalOperator::Index(key) => key.as_str(),
        _ => None,
    }
}

/// A name that nobody knows yet stays as it was written, with the steps that say all by themselves.
fn literal(root: &Span, steps: Steps<'_>, report: &mut Report<'_>) -> Result<Value, Reported> {
    let is_literal = |step: &TraversalOperator| match step {
        TraversalOperator::Index(key) => key.is_number() || key.is_str(),
        TraversalOperator::GetAttr(_) | TraversalOperator::LegacyIndex(_) => true,
        TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => false,
    };
    let count = steps
        .iter()
        .position(|step| !is_literal(step))
        .unwrap_or(steps.len());
    let (kept, rest) = steps.split_at(count);
    let end = kept.last().map_or(root.end, |step| span(step).end);
    let place = root.start..end.max(root.end);
    let written = report.source(&place);
    let text = Value::String(format!("${{{written}}}"));
    follow(&text, rest, &place, report)
}

fn unknown(name: &str, place: &Span, report: &mut Report<'_>) -> Reported {
    let mut all = report.names.all();
    // Of names that are equally near the last is taken: NOMAD_META_k before NOMAD_META_K.
    all.reverse();
    let near = nearest(name, all.iter().map(String::as_str));
    let mut detail = format!("There is no variable named \"{name}\".");
    if let Some(near) = near {
        detail += &format!(" Did you mean \"{near}\"?");
    }
    let mut diagnostic = Diagnostic::new(UNKNOWN_VARIABLE, place.clone(), detail);
    diagnostic.fix = near.map(str::to_owned);
    report.add(diagnostic)
}

/// Goes the steps. The value is only copied at the end: the whole of `attr` is large.
fn follow(
    start: &Value,
    steps: Steps<'_>,
    origin: &Span,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let mut value = start;
    let mut place = origin.clone();
    for (at, step) in steps.iter().enumerate() {
        place = span(step);
        value = match &**step {
            TraversalOperator::GetAttr(name) => attribute(value, name.as_str(), &place, report)?,
            TraversalOperator::Index(key) => {
                let key = typed(key, report)?;
                element(value, &key, &place, report)?
            }
            TraversalOperator::LegacyIndex(index) => {
                #[allow(clippy::cast_precision_loss, reason = "no list has so many items")]
                let key = Value::Number(**index as f64);
                element(value, &key, &place, report)?
            }
            TraversalOperator::FullSplat(_) => {
                return splat(value, &steps[at + 1..], &place, report);
            }
            TraversalOperator::AttrSplat(_) => {
                // Only attributes are taken of each; what comes behind is taken of all of them.
                let rest = &steps[at + 1..];
                let is_attribute =
                    |step: &TraversalOperator| matches!(step, TraversalOperator::GetAttr(_));
                let count = rest
                    .iter()
                    .position(|step| !is_attribute(step))
                    .unwrap_or(rest.len());
                let all = splat(value, &rest[..count], &place, report)?;
                return follow(&all, &rest[count..], &place, report);
            }
        };
    }
    report.spend(value.weight(), &place)?;
    Ok(value.clone())
}

/// The same steps from each item; a value that is no sequence is the only item of one.
fn splat(
    value: &Value,
    steps: Steps<'_>,
    place: &Span,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let items = match value {
        Value::Null(Type::List(_) | Type::Set(_) | Type::Tuple(_)) => {
            let detail =
                "Splat expressions (with the * symbol) cannot be applied to null sequences.";
            let null = Diagnostic::new(NOT_ITERABLE, place.clone(), detail);
            return Err(report.add(null.summary("Splat of null value")));
        }
        Value::Null(_) => &[],
        value => value.items().unwrap_or(std::slice::from_ref(value)),
    };
    let mut all = Vec::new();
    for item in items {
        all.push(follow(item, steps, place, report)?);
    }
    Ok(Value::Tuple(all))
}

fn attribute<'v>(
    value: &'v Value,
    name: &str,
    place: &Span,
    report: &mut Report<'_>,
) -> Result<&'v Value, Reported> {
    let detail = match value {
        Value::Object(items) => match items.get(name) {
            Some(item) => return Ok(item),
            None => format!("This object does not have an attribute named \"{name}\"."),
        },
        Value::Map(_, items) => match items.get(name) {
            Some(item) => return Ok(item),
            None => {
                let detail = format!("This map does not have an element with the key \"{name}\".");
                let missing = Diagnostic::new(UNSUPPORTED_ATTRIBUTE, place.clone(), detail);
                return Err(report.add(missing.summary("Missing map element")));
            }
        },
        Value::Null(_) => {
            let detail = "This value is null, so it does not have any attributes.";
            let null = Diagnostic::new(UNSUPPORTED_ATTRIBUTE, place.clone(), detail);
            return Err(report.add(null.summary("Attempt to get attribute from null value")));
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            format!(
                "Can't access attributes on a primitive-typed value ({}).",
                value.noun()
            )
        }
        _ => "This value does not have any attributes.".to_owned(),
    };
    Err(report.error(UNSUPPORTED_ATTRIBUTE, place.clone(), detail))
}

fn element<'v>(
    value: &'v Value,
    key: &Value,
    place: &Span,
    report: &mut Report<'_>,
) -> Result<&'v Value, Reported> {
    let why = match found(value, key) {
        Ok(item) => return Ok(item),
        Err(why) => why,
    };
    let detail = match value {
        Value::Null(_) => {
            let detail = "This value is null, so it does not have any indices.";
            let null = Diagnostic::new(INVALID_INDEX, place.clone(), detail);
            return Err(report.add(null.summary("Attempt to index null value")));
        }
        Value::Set(..) => "Elements of a set are identified only by their value and don't have any separate index or key to select with, so it's only possible to perform operations across all elements of the set.".to_owned(),
        value if value.items().is_none() && value.entries().is_none() => "This value does not have any indices.".to_owned(),
        _ if key.is_null() => "Can't use a null value as an indexing key.".to_owned(),
        _ => format!("The given key does not identify an element in this collection value{why}."),
    };
    Err(report.error(INVALID_INDEX, place.clone(), detail))
}

/// The item at a key, or what is wrong with the key beside that nothing is there.
fn found<'v>(value: &'v Value, key: &Value) -> Result<&'v Value, String> {
    let as_type = |kind| cty::to_primitive(key.clone(), &kind).map_err(|why| format!(": {why}"));
    match value {
        _ if key.is_null() => Err(String::new()),
        Value::Map(_, items) | Value::Object(items) => {
            let key = as_type(Type::String)?;
            convert::to_string(&key)
                .and_then(|key| items.get(&key))
                .ok_or_else(String::new)
        }
        Value::List(_, items) | Value::Tuple(items) => {
            let number = convert::to_number(&as_type(Type::Number)?).unwrap_or_default();
            if number < 0.0 {
                return Err(": a negative number is not a valid index for a sequence".to_owned());
            }
            if number.fract() != 0.0 {
                return Err(": indexing a sequence requires a whole number, but the given index has a fractional part".to_owned());
            }
            // Numbers are below 2^53, so that the conversion loses nothing.
            items.get(number as usize).ok_or_else(String::new)
        }
        _ => Err(String::new()),
    }
}
