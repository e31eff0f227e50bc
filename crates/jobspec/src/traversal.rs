//! Variables, and the steps from them: `attr.kernel.name`, `env["X"]`.

use hcl_edit::expr::{Expression, Traversal, TraversalOperator};

use crate::codes::*;
use crate::diagnostic::Diagnostic;
use crate::eval::{evaluate, later, span};
use crate::names::Meaning;
use crate::report::{Report, Reported};
use crate::suggest::nearest;
use crate::{Span, Value, convert};

type Steps<'a> = &'a [hcl_edit::Decorated<TraversalOperator>];

/// Evaluates a name.
pub(crate) fn variable(expr: &Expression, report: &mut Report<'_>) -> Result<Value, Reported> {
    from(expr, &[], expr, report)
}

/// Evaluates a name, or another expression, and the steps from it.
pub(crate) fn traversal(
    traversal: &Traversal,
    whole: &Expression,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let splat = |step: &TraversalOperator| {
        matches!(
            step,
            TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_)
        )
    };
    if traversal.operators.iter().any(|step| splat(step)) {
        return Err(later("splat expression", whole, report));
    }
    from(&traversal.expr, &traversal.operators, whole, report)
}

fn from(
    root: &Expression,
    steps: Steps<'_>,
    whole: &Expression,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let Expression::Variable(name) = root else {
        let value = evaluate(root, report)?;
        return follow(&value, steps, false, report);
    };
    let place = span(root);
    match report.names.meaning(name.as_str()) {
        Meaning::Later => Err(later("reference", whole, report)),
        Meaning::Literal => literal(&place, steps, report),
        Meaning::Value(value) => follow(&value, steps, false, report),
        Meaning::Known(known) => match known.get(name.as_str()) {
            Some(value) => follow(value, steps, name.as_str() == "env", report),
            None => Err(unknown(name.as_str(), &place, report)),
        },
    }
}

/// A name that nobody knows yet stays as it was written, with the steps that say all by themselves.
fn literal(root: &Span, steps: Steps<'_>, report: &mut Report<'_>) -> Result<Value, Reported> {
    let is_literal = |step: &TraversalOperator| match step {
        TraversalOperator::Index(key) => key.is_number() || key.is_str(),
        _ => true,
    };
    let count = steps
        .iter()
        .position(|step| !is_literal(step))
        .unwrap_or(steps.len());
    let (kept, rest) = steps.split_at(count);
    let end = kept.last().map_or(root.end, |step| span(step).end);
    let written = report.source(&(root.start..end.max(root.end)));
    let text = Value::String(format!("${{{written}}}"));
    follow(&text, rest, false, report)
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
    is_map: bool,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let mut value = start;
    let mut place = 0..0;
    for (at, step) in steps.iter().enumerate() {
        place = span(step);
        value = match &**step {
            TraversalOperator::GetAttr(name) => {
                attribute(value, name.as_str(), is_map && at == 0, &place, report)?
            }
            TraversalOperator::Index(key) => {
                let key = evaluate(key, report)?;
                element(value, &key, &place, report)?
            }
            TraversalOperator::LegacyIndex(index) => {
                #[allow(clippy::cast_precision_loss, reason = "no list has so many items")]
                let key = Value::Number(**index as f64);
                element(value, &key, &place, report)?
            }
            TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => {
                return Err(Reported);
            }
        };
    }
    report.spend(convert::weight(value), &place)?;
    Ok(value.clone())
}

fn attribute<'v>(
    value: &'v Value,
    name: &str,
    is_map: bool,
    place: &Span,
    report: &mut Report<'_>,
) -> Result<&'v Value, Reported> {
    let detail = match value {
        Value::Object(items) => match items.get(name) {
            Some(item) => return Ok(item),
            None if is_map => {
                let detail = format!("This map does not have an element with the key \"{name}\".");
                let missing = Diagnostic::new(UNSUPPORTED_ATTRIBUTE, place.clone(), detail);
                return Err(report.add(missing.summary("Missing map element")));
            }
            None => format!("This object does not have an attribute named \"{name}\"."),
        },
        Value::Null => "This value is null, so it does not have any attributes.".to_owned(),
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
    let found = match value {
        Value::Object(items) => convert::to_string(key).and_then(|key| items.get(&key)),
        Value::List(items) => position(key).and_then(|at| items.get(at)),
        _ => {
            let detail = "This value does not have any indices.";
            return Err(report.error(INVALID_INDEX, place.clone(), detail));
        }
    };
    found.ok_or_else(|| {
        let detail = "The given key does not identify an element in this collection value.";
        report.error(INVALID_INDEX, place.clone(), detail)
    })
}

fn position(key: &Value) -> Option<usize> {
    let number = convert::to_number(key)?;
    // Numbers are below 2^53, so that the conversion loses nothing.
    (number >= 0.0 && number.fract() == 0.0).then_some(number as usize)
}
