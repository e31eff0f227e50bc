//! `for` expressions: `[for x in list : x]`, `{for k, v in map : k => v if v != ""}`.

use std::collections::BTreeMap;

use hcl_edit::expr::{Expression, ForExpr};

use crate::codes::*;
use crate::cty::{self, Type, Value};
use crate::diagnostic::Diagnostic;
use crate::eval::{span, typed};
use crate::report::{Report, Reported};
use crate::{Span, convert};

/// Evaluates a `for` expression.
pub(crate) fn evaluate(
    each: &ForExpr,
    whole: &Span,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let place = span(&each.intro.collection_expr);
    let collection = typed(&each.intro.collection_expr, report)?;
    let pairs = pairs(collection, &place, report)?;
    match &each.key_expr {
        None => list(each, pairs, report),
        Some(key) if each.grouping => grouped(each, key, pairs, report),
        Some(key) => object(each, key, pairs, whole, report),
    }
}

/// What there is to go over, with keys.
pub(crate) fn pairs(
    collection: Value,
    place: &Span,
    report: &mut Report<'_>,
) -> Result<Vec<(Value, Value)>, Reported> {
    if collection.is_null() {
        let detail = "A null value cannot be used as the collection in a 'for' expression.";
        let null = Diagnostic::new(NOT_ITERABLE, place.clone(), detail);
        return Err(report.add(null.summary("Iteration over null value")));
    }
    let kind = collection.noun();
    collection.into_pairs().ok_or_else(|| {
        let detail = format!(
            "A value of type {kind} cannot be used as the collection in a 'for' expression."
        );
        report.error(NOT_ITERABLE, place.clone(), detail)
    })
}

fn list(
    each: &ForExpr,
    pairs: Vec<(Value, Value)>,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let mut items = Vec::new();
    for pair in pairs {
        // One mistake in the body is enough.
        if let Some(item) = with(each, pair, report, |report| typed(&each.value_expr, report))? {
            report.spend(item.weight(), &span(&each.value_expr))?;
            items.push(item);
        }
    }
    Ok(Value::Tuple(items))
}

fn object(
    each: &ForExpr,
    key: &Expression,
    pairs: Vec<(Value, Value)>,
    whole: &Span,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let mut items = BTreeMap::new();
    for pair in pairs {
        let Some((name, item)) = with(each, pair, report, |report| entry(each, key, report))?
        else {
            continue;
        };
        if items.contains_key(&name) {
            let detail = format!(
                "Two different items produced the key {name:?} in this 'for' expression. If duplicates are expected, \
                 use the ellipsis (...) after the value expression to enable grouping by key."
            );
            return Err(report.error(DUPLICATE_KEY, whole.clone(), detail));
        }
        items.insert(name, item);
    }
    Ok(Value::Object(items))
}

fn grouped(
    each: &ForExpr,
    key: &Expression,
    pairs: Vec<(Value, Value)>,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for pair in pairs {
        if let Some((name, item)) = with(each, pair, report, |report| entry(each, key, report))? {
            groups.entry(name).or_default().push(item);
        }
    }
    let groups = groups.into_iter();
    Ok(Value::Object(
        groups
            .map(|(name, items)| (name, Value::Tuple(items)))
            .collect(),
    ))
}

fn entry(
    each: &ForExpr,
    key: &Expression,
    report: &mut Report<'_>,
) -> Result<(String, Value), Reported> {
    let name = typed(key, report);
    let item = typed(&each.value_expr, report);
    let (name, item) = (name?, item?);
    let Some(name) = convert::to_string(&name) else {
        let detail = match name {
            Value::Null(_) => {
                "Key expression in 'for' expression must not produce a null value.".to_owned()
            }
            _ => format!(
                "The key expression produced an invalid result: string required, but have {}.",
                name.noun()
            ),
        };
        return Err(report.error(INVALID_OBJECT_KEY, span(key), detail));
    };
    report.spend(name.len() + item.weight(), &span(key))?;
    Ok((name, item))
}

/// Reads the body with the loop's names set; `None` where the condition leaves it out.
fn with<T>(
    each: &ForExpr,
    (key, item): (Value, Value),
    report: &mut Report<'_>,
    read: impl FnOnce(&mut Report<'_>) -> Result<T, Reported>,
) -> Result<Option<T>, Reported> {
    let before = report.names.depth();
    if let Some(name) = &each.intro.key_var {
        report.names.push(name.as_str(), key);
    }
    report.names.push(each.intro.value_var.as_str(), item);
    let result = match condition(each, report) {
        Ok(true) => read(report).map(Some),
        Ok(false) => Ok(None),
        Err(reported) => Err(reported),
    };
    report.names.truncate(before);
    result
}

fn condition(each: &ForExpr, report: &mut Report<'_>) -> Result<bool, Reported> {
    let Some(condition) = &each.cond else {
        return Ok(true);
    };
    let value = typed(&condition.expr, report)?;
    let (summary, detail) = if value.is_null() {
        (
            "Condition is null",
            "The value of the 'if' clause must not be null.".to_owned(),
        )
    } else {
        match cty::to_primitive(value, &Type::Bool) {
            Ok(value) => return Ok(value == Value::Bool(true)),
            Err(why) => (
                "Invalid 'for' condition",
                format!("The 'if' clause value is invalid: {why}."),
            ),
        }
    };
    let wrong = Diagnostic::new(INVALID_CONDITION, span(&condition.expr), detail);
    Err(report.add(wrong.summary(summary)))
}
