//! `config`: evaluated as far as the file goes, and otherwise left to the driver.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Attribute as Argument, Block, Body, Structure};

use super::maps::is_named;
use super::no_labels;
use crate::codes::*;
use crate::eval::{evaluate, span};
use crate::fields::{duplicate, header, title};
use crate::report::{Report, Reported};
use crate::template::is_template;
use crate::{Attribute, Config, Origin, Span, Value};

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
                append(taken.get_mut(), attribute);
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

fn append(blocks: &mut Attribute, more: Attribute) {
    if let (Value::List(blocks), Value::List(more)) = (&mut blocks.value, more.value) {
        blocks.extend(more);
    }
    blocks.origins.extend(more.origins);
}

fn of_argument(argument: &Argument, report: &mut Report<'_>) -> Result<Attribute, Reported> {
    let value = evaluate(&argument.value, report)?;
    let mut found = Vec::new();
    origins(&argument.value, &value, report, &mut found);
    Ok(Attribute {
        name_span: span(&argument.key),
        value_span: span(&argument.value),
        value,
        origins: found,
    })
}

/// A block in `config` is a list of objects, one for each block of the name.
fn of_block(block: &Block, report: &mut Report<'_>) -> Result<Attribute, Reported> {
    if let Some(label) = block.labels.first() {
        let detail = "A label of a block in config is not supported yet.";
        return Err(report.error(NOT_SUPPORTED_YET, span(label), detail));
    }
    let inner = report.inside(title(block), |report| attributes(&block.body, report))?;
    let mut origins = Vec::new();
    let mut object = BTreeMap::new();
    for (name, attribute) in inner {
        origins.extend(attribute.origins);
        object.insert(name, attribute.value);
    }
    Ok(Attribute {
        name_span: span(&block.ident),
        value_span: span(block),
        value: Value::List(vec![Value::Object(object)]),
        origins,
    })
}

/// Says where the templates of a value were written, in the order in which [`crate::evaluate`] meets them.
fn origins(expr: &Expression, value: &Value, report: &Report<'_>, found: &mut Vec<Origin>) {
    match (expr, value) {
        (Expression::Parenthesis(inner), _) => origins(inner.inner(), value, report, found),
        (Expression::Array(exprs), Value::List(items)) => {
            for (expr, item) in exprs.iter().zip(items) {
                origins(expr, item, report, found);
            }
        }
        (Expression::Object(exprs), Value::Object(items)) => {
            for (key, item) in items {
                let written = exprs.iter().find(|(name, _)| is_named(name, key));
                let expr = written.map_or(expr, |(_, written)| written.expr());
                origins(expr, &Value::String(key.clone()), report, found);
                origins(expr, item, report, found);
            }
        }
        (_, Value::List(items)) => items
            .iter()
            .for_each(|item| origins(expr, item, report, found)),
        (_, Value::Object(items)) => {
            for (key, item) in items {
                origins(expr, &Value::String(key.clone()), report, found);
                origins(expr, item, report, found);
            }
        }
        (_, Value::String(text)) if is_template(text) => found.push(Origin {
            span: span(expr),
            text: report.source(&span(expr)).to_owned(),
        }),
        _ => {}
    }
}
