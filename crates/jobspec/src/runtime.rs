//! `config` once more, when the task's environment is known.
//!
//! What the first evaluation made of a string is read as a template of its own, as Nomad's client does it. There every
//! name must have a value.

use std::collections::BTreeMap;
use std::slice::Iter;

use crate::codes::INVALID_OBJECT_KEY;
use crate::diagnostic::Diagnostic;
use crate::eval::holding_no_nul;
use crate::names::{Functions, Known, Names, Others};
use crate::report::{Report, Reported};
use crate::template::{self, Trim, is_template};
use crate::{Attribute, Config, Origin, Scope, Span, Value, convert};

/// Evaluates a task's `config` with what is known of the task and its node.
///
/// # Errors
/// Every name that has no value and every text that is no template, each with its place in the job file; the
/// context is the argument.
pub fn evaluate(
    config: &Config,
    scope: &Scope,
) -> Result<BTreeMap<String, Value>, Vec<Diagnostic>> {
    let known = Known {
        roots: scope.tree(),
        others: Others::Unknown,
        functions: Functions::Config,
        ..Known::default()
    };
    let mut report = Report::with(Names::known(known), "");
    let mut values = BTreeMap::new();
    for (name, attribute) in &config.attributes {
        let evaluated = report.inside(format!("config {name:?}"), |report| {
            again(attribute, report)
        });
        if let Ok(value) = evaluated {
            values.insert(name.clone(), value);
        }
    }
    if report.is_empty() {
        Ok(values)
    } else {
        Err(report.into_diagnostics())
    }
}

fn again(attribute: &Attribute, report: &mut Report<'_>) -> Result<Value, Reported> {
    let mut origins = attribute.origins.iter();
    value(
        &attribute.value,
        &attribute.value_span,
        &mut origins,
        report,
    )
}

fn value(
    from: &Value,
    whole: &Span,
    origins: &mut Iter<'_, Origin>,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    match from {
        Value::String(written) => text(written, whole, origins, report),
        Value::List(items) => {
            let items: Vec<_> = items
                .iter()
                .map(|item| value(item, whole, origins, report))
                .collect();
            items.into_iter().collect::<Result<_, _>>().map(Value::List)
        }
        Value::Object(items) => {
            let items: Vec<_> = items
                .iter()
                .map(|(name, item)| {
                    let name = key(name, whole, origins, report);
                    let item = value(item, whole, origins, report);
                    Ok((name?, item?))
                })
                .collect();
            items
                .into_iter()
                .collect::<Result<_, _>>()
                .map(Value::Object)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(from.clone()),
    }
}

fn key(
    name: &str,
    whole: &Span,
    origins: &mut Iter<'_, Origin>,
    report: &mut Report<'_>,
) -> Result<String, Reported> {
    let value = text(name, whole, origins, report)?;
    let text = match &value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => convert::to_string(&value.into()),
        _ => None,
    };
    text.ok_or_else(|| {
        let detail = "A key must be a string.";
        report.error(INVALID_OBJECT_KEY, whole.clone(), detail)
    })
}

fn text(
    written: &str,
    whole: &Span,
    origins: &mut Iter<'_, Origin>,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    if !is_template(written) {
        return Ok(Value::String(written.to_owned()));
    }
    let origin = origins.next();
    let place = |of: &Span| origin.map_or(whole.clone(), |origin| find(written, of, origin));
    report.on(written, place, |report| {
        let value = template::bare(written, Trim::All, report)?.into();
        holding_no_nul(value, &(0..written.len()), report)
    })
}

/// Where a part of a template stands in the job file. Escapes and the first evaluation may have made the template from
/// another text: what is not there as often as in the template is not looked for, and the whole is pointed at.
fn find(template: &str, part: &Span, origin: &Origin) -> Span {
    let wanted = template.get(part.clone()).unwrap_or_default();
    let whole = origin.span.clone();
    if wanted.is_empty() {
        return whole;
    }
    let places =
        |text: &str| -> Vec<usize> { text.match_indices(wanted).map(|(start, _)| start).collect() };
    let (here, there) = (places(template), places(&origin.text));
    let index = here.iter().position(|&start| start == part.start);
    match index.and_then(|index| there.get(index)) {
        Some(start) if here.len() == there.len() => {
            let start = whole.start + start;
            start..start + wanted.len()
        }
        _ => whole,
    }
}
