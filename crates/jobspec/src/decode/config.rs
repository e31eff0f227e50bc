//! `config`: evaluated, and otherwise left to the driver.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Attribute as Argument, Block, Body, Structure};

use super::no_labels;
use crate::codes::*;
use crate::eval::{evaluate, span};
use crate::fields::{duplicate, header, title};
use crate::report::{Report, Reported};
use crate::{Attribute, Config, Span, Value};

type Attributes = BTreeMap<String, Attribute>;

/// Reads `config`; a task without one has an empty one in the place of the task.
pub(crate) fn config(
    block: Option<&Block>,
    task: Span,
    report: &mut Report<'_>,
) -> Result<Config, Reported> {
    let Some(block) = block else {
        return Ok(Config {
            span: task,
            attributes: Attributes::new(),
        });
    };
    report.inside("config".to_owned(), |report| {
        no_labels(block, report);
        Ok(Config {
            span: header(block),
            attributes: attributes(&block.body, report)?,
        })
    })
}

fn attributes(body: &Body, report: &mut Report<'_>) -> Result<Attributes, Reported> {
    let mut attributes = Attributes::new();
    let mut lists = BTreeSet::new();
    let mut result = Ok(());
    for structure in body {
        let (name, attribute) = match structure {
            Structure::Attribute(argument) => {
                (argument.key.as_str(), of_argument(argument, report))
            }
            Structure::Block(block) => (block.ident.as_str(), of_block(block, report)),
        };
        let is_block = structure.is_block();
        let again = is_block && lists.contains(name);
        let added = attribute.and_then(|attribute| match attributes.entry(name.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(attribute);
                Ok(())
            }
            Entry::Occupied(mut taken) if again => {
                append(&mut taken.get_mut().value, attribute.value);
                Ok(())
            }
            Entry::Occupied(taken) => {
                duplicate(name, attribute.name_span, &taken.get().name_span, report);
                Err(Reported)
            }
        });
        if is_block {
            lists.insert(name);
        }
        result = result.and(added);
    }
    result.map(|()| attributes)
}

fn append(blocks: &mut Value, more: Value) {
    if let (Value::List(blocks), Value::List(more)) = (blocks, more) {
        blocks.extend(more);
    }
}

fn of_argument(argument: &Argument, report: &mut Report<'_>) -> Result<Attribute, Reported> {
    let value = evaluate(&argument.value, report)?;
    once_more(&argument.value, &value, report)?;
    Ok(Attribute {
        name_span: span(&argument.key),
        value_span: span(&argument.value),
        value,
    })
}

/// A block in `config` is a list of objects, one for each block of the name.
fn of_block(block: &Block, report: &mut Report<'_>) -> Result<Attribute, Reported> {
    if let Some(label) = block.labels.first() {
        let detail = "A label of a block in config is not supported yet.";
        return Err(report.error(NOT_SUPPORTED_YET, span(label), detail));
    }
    if block.ident.as_str() == "dynamic" {
        let detail = "The block \"dynamic\" is not supported yet.";
        return Err(report.error(NOT_SUPPORTED_YET, span(&block.ident), detail));
    }
    let inner = report.inside(title(block), |report| attributes(&block.body, report))?;
    let object = inner
        .into_iter()
        .map(|(name, attribute)| (name, attribute.value));
    Ok(Attribute {
        name_span: span(&block.ident),
        value_span: span(block),
        value: Value::List(vec![Value::Object(object.collect())]),
    })
}

/// Nomad evaluates the strings of `config` a second time, when the task's environment is known. A string with
/// something left to evaluate would reach the task as it is, which on a cluster it would not.
fn once_more(expr: &Expression, value: &Value, report: &mut Report<'_>) -> Result<(), Reported> {
    match (expr, value) {
        (Expression::Parenthesis(inner), _) => once_more(inner.inner(), value, report),
        (Expression::Array(items), Value::List(values)) => {
            let pairs = items.iter().zip(values);
            let results: Vec<_> = pairs
                .map(|(item, value)| once_more(item, value, report))
                .collect();
            results.into_iter().collect()
        }
        _ if is_template(value) => {
            let detail = "Nomad evaluates config a second time, where the task's environment is known; \
                          a literal ${ or %{ in it is not supported yet.";
            Err(report.error(NOT_SUPPORTED_YET, span(expr), detail))
        }
        _ => Ok(()),
    }
}

fn is_template(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("${") || text.contains("%{"),
        Value::List(items) => items.iter().any(is_template),
        Value::Object(items) => items
            .iter()
            .any(|(key, item)| key.contains("${") || is_template(item)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
