//! `env` and `meta`: maps of strings, written as a block or as an argument.

use std::collections::BTreeMap;

use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Attribute, Block, Structure};

use super::no_labels;
use crate::agent::written;
use crate::codes::*;
use crate::convert::of_plain;
use crate::eval::{evaluate, span};
use crate::fields::Fields;
use crate::report::{Report, Reported};
use crate::typed::{required, wrong};
use crate::{Span, Value};

type Map = BTreeMap<String, String>;

/// Reads `meta` over what comes from above.
pub(crate) fn meta(
    fields: &Fields<'_>,
    inherited: &Map,
    report: &mut Report<'_>,
) -> Result<Map, Reported> {
    let mut meta = inherited.clone();
    meta.extend(map(fields, "meta", |_, _, _| Ok(()), report)?);
    Ok(meta)
}

/// Reads `env`.
pub(crate) fn env(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<Map, Reported> {
    map(fields, "env", env_name, report)
}

fn env_name(name: &str, place: &Span, report: &mut Report<'_>) -> Result<(), Reported> {
    let problem = if name.is_empty() {
        "The name of an environment variable must not be empty."
    } else if name.contains('=') {
        "The name of an environment variable must not contain \"=\"."
    } else {
        return Ok(());
    };
    Err(report.error(INVALID_ENV_NAME, place.clone(), problem))
}

/// Reads a map whose keys may be anything.
pub(crate) fn plain(
    fields: &Fields<'_>,
    name: &str,
    report: &mut Report<'_>,
) -> Result<Map, Reported> {
    map(fields, name, |_, _, _| Ok(()), report)
}

type CheckName = fn(&str, &Span, &mut Report<'_>) -> Result<(), Reported>;

fn map(
    fields: &Fields<'_>,
    name: &str,
    check: CheckName,
    report: &mut Report<'_>,
) -> Result<Map, Reported> {
    match (fields.block(name), fields.argument(name)) {
        (Some(block), _) => report.inside(name.to_owned(), |report| of_block(block, check, report)),
        (_, Some(attribute)) => of_attribute(attribute, check, report),
        _ => Ok(Map::new()),
    }
}

fn of_block(block: &Block, check: CheckName, report: &mut Report<'_>) -> Result<Map, Reported> {
    no_labels(block, report);
    let mut entries = Vec::new();
    for structure in &block.body {
        match structure {
            Structure::Attribute(attribute) => {
                let key = span(&attribute.key);
                let name = written(attribute.key.as_str(), &key, report);
                let place = span(&attribute.value);
                let value = evaluate(&attribute.value, report);
                let text = value.and_then(|value| text(&name, &value, place, report));
                let named = check(&name, &key, report);
                entries.push(named.and(text).map(|text| (name, text)));
            }
            Structure::Block(nested) => {
                let name = nested.ident.as_str();
                let detail = format!("Blocks of type \"{name}\" are not expected here.");
                entries.push(Err(report.error(
                    UNSUPPORTED_BLOCK,
                    span(&nested.ident),
                    detail,
                )));
            }
        }
    }
    entries.into_iter().collect()
}

fn of_attribute(
    attribute: &Attribute,
    check: CheckName,
    report: &mut Report<'_>,
) -> Result<Map, Reported> {
    let expr = &attribute.value;
    let value = evaluate(expr, report)?;
    match value {
        Value::Null => Ok(Map::new()),
        Value::Object(items) => {
            let entries: Vec<_> = items
                .iter()
                .map(|(name, value)| {
                    let (key_place, place) = places(expr, name);
                    let text = text(name, value, place, report);
                    check(name, &key_place, report)
                        .and(text)
                        .map(|text| (name.clone(), text))
                })
                .collect();
            entries.into_iter().collect()
        }
        other => {
            let why = required("map of string", &other);
            Err(wrong(attribute.key.as_str(), why, span(expr), report))
        }
    }
}

fn text(
    name: &str,
    value: &Value,
    place: Span,
    report: &mut Report<'_>,
) -> Result<String, Reported> {
    of_plain(value).ok_or_else(|| wrong(name, required("string", value), place, report))
}

/// Where a key and its value stand, if the map is written out; else where the map is.
pub(crate) fn places(expr: &Expression, name: &str) -> (Span, Span) {
    let whole = || (span(expr), span(expr));
    let Expression::Object(items) = expr else {
        return whole();
    };
    let item = items.iter().find(|(key, _)| is_named(key, name));
    item.map_or_else(whole, |(key, value)| (span(key), span(value.expr())))
}

/// Whether a key of a written map is that name.
pub(crate) fn is_named(key: &ObjectKey, name: &str) -> bool {
    match key {
        ObjectKey::Ident(ident) => ident.as_str() == name,
        ObjectKey::Expression(expr) => expr.as_str() == Some(name),
    }
}
