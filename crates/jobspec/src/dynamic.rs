//! `dynamic` blocks: written once, there as often as `for_each` has items.
//!
//! They are replaced in the tree before it is decoded, so that nobody behind this knows of them. An expression of a copy is
//! evaluated only then; a mark in front of it says which loop's names it sees.

use std::collections::BTreeMap;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Attribute, Block, BlockLabel, Body, Structure};
use hcl_edit::{Decorate, Ident};

use crate::codes::*;
use crate::comprehension::pairs;
use crate::convert;
use crate::cty::Value;
use crate::diagnostic::Diagnostic;
use crate::eval::{span, typed};
use crate::fields::{Fields, header, title};
use crate::report::{Report, Reported};
use crate::schema::DYNAMIC;

/// No comment and no space begins with it.
const MARK: char = '\0';

/// Replaces every `dynamic` block in a body.
pub(crate) fn expand(body: Body, report: &mut Report<'_>) -> Body {
    if has_dynamic(&body) {
        expanded(body, None, report)
    } else {
        body
    }
}

fn has_dynamic(body: &Body) -> bool {
    body.blocks()
        .any(|block| block.ident.as_str() == "dynamic" || has_dynamic(&block.body))
}

/// The loop whose names an expression sees, if it is in a copy.
pub(crate) fn scope(expr: &Expression) -> Option<usize> {
    expr.decor().prefix()?.strip_prefix(MARK)?.parse().ok()
}

fn expanded(body: Body, scope: Option<usize>, report: &mut Report<'_>) -> Body {
    let mut all: Vec<Structure> = Vec::new();
    for structure in body {
        match structure {
            Structure::Attribute(mut attribute) => {
                if let Some(scope) = scope {
                    attribute
                        .value
                        .decor_mut()
                        .set_prefix(format!("{MARK}{scope}"));
                }
                all.push(attribute.into());
            }
            Structure::Block(block) if block.ident.as_str() == "dynamic" => {
                // What is wrong with it was reported; the rest of the file can be read without it.
                let copies = report.inside(title(&block), |report| copies(&block, report));
                all.extend(copies.into_iter().flatten().map(Structure::from));
            }
            Structure::Block(block) if scope.is_none() && !has_dynamic(&block.body) => {
                all.push(block.into())
            }
            Structure::Block(mut block) => {
                let inner = std::mem::take(&mut block.body);
                block.body = report.inside(title(&block), |report| expanded(inner, scope, report));
                all.push(block.into());
            }
        }
    }
    Body::from(all)
}

fn copies(block: &Block, report: &mut Report<'_>) -> Result<Vec<Block>, Reported> {
    let kind = kind(block, report)?;
    let fields = Fields::of(&block.body, header(block), &DYNAMIC, report);
    let (Some(each), Some(content)) = (fields.argument("for_each"), fields.block("content")) else {
        return Err(incomplete(&fields, report));
    };
    let iterator = iterator(&fields, kind.as_str(), report)?;
    let labels = fields.argument("labels");
    let mut copies = Vec::new();
    for (key, value) in items(each, report)? {
        // A copy of the tree is about as large as what is written.
        report.spend(span(content).len() + 64, &span(block))?;
        let depth = report.names.depth();
        let item = [("key".to_owned(), key), ("value".to_owned(), value)];
        report
            .names
            .push(&iterator, Value::Object(BTreeMap::from(item)));
        let copy = copy(block, content, &kind, labels, report);
        report.names.truncate(depth);
        copies.push(copy?);
    }
    Ok(copies)
}

fn incomplete(fields: &Fields<'_>, report: &mut Report<'_>) -> Reported {
    if fields.argument("for_each").is_none() {
        let detail = "The argument \"for_each\" is required, but no definition was found.";
        report.error(MISSING_ARGUMENT, fields.header(), detail)
    } else {
        let detail = "A dynamic block needs a content block: content { … }.";
        let missing = Diagnostic::new(MISSING_BLOCK, fields.header(), detail);
        report.add(missing.summary("Missing content block"))
    }
}

/// The type of block that it stands for: its label.
fn kind(block: &Block, report: &mut Report<'_>) -> Result<Ident, Reported> {
    let [label] = block.labels.as_slice() else {
        let detail = "A dynamic block has one label, the type of the blocks that it stands for: dynamic \"port\" { … }.";
        return Err(report.error(INVALID_DYNAMIC, header(block), detail));
    };
    Ident::try_new(label.as_str()).map_err(|_| {
        let detail = format!("\"{}\" cannot be the type of a block.", label.as_str());
        report.error(INVALID_DYNAMIC, span(label), detail)
    })
}

/// The name that an item has in `content`.
fn iterator(fields: &Fields<'_>, kind: &str, report: &mut Report<'_>) -> Result<String, Reported> {
    match fields.argument("iterator").map(|argument| &argument.value) {
        None => Ok(kind.to_owned()),
        Some(Expression::Variable(name)) => Ok(name.as_str().to_owned()),
        Some(other) => {
            let detail = "Dynamic iterator must be a single variable name.";
            let invalid = Diagnostic::new(INVALID_DYNAMIC, span(other), detail);
            Err(report.add(invalid.summary("Invalid dynamic iterator name")))
        }
    }
}

fn items(each: &Attribute, report: &mut Report<'_>) -> Result<Vec<(Value, Value)>, Reported> {
    let value = typed(&each.value, report)?;
    let place = span(&each.value);
    let detail = match &value {
        Value::Null(_) => "Cannot use a null value in for_each.".to_owned(),
        value if value.items().is_some() || value.entries().is_some() => {
            return pairs(value.clone(), &place, report);
        }
        other => format!(
            "Cannot use a {} value in for_each. An iterable collection is required.",
            other.noun()
        ),
    };
    let invalid = Diagnostic::new(INVALID_DYNAMIC, place, detail);
    Err(report.add(invalid.summary("Invalid dynamic for_each value")))
}

/// The content once more, under the names that it has now.
fn copy(
    block: &Block,
    content: &Block,
    kind: &Ident,
    labels: Option<&Attribute>,
    report: &mut Report<'_>,
) -> Result<Block, Reported> {
    let mut copy = content.clone();
    // Whoever looks for the copy finds the header of the block that it was made of.
    copy.ident.clone_from(&block.ident);
    *copy.ident.value_mut() = kind.clone();
    if let Some(labels) = labels {
        copy.labels = self::labels(block, labels, report)?;
    }
    let scope = report.names.capture();
    copy.body = expanded(std::mem::take(&mut copy.body), Some(scope), report);
    Ok(copy)
}

/// Each has the place of the block's own label.
fn labels(
    block: &Block,
    labels: &Attribute,
    report: &mut Report<'_>,
) -> Result<Vec<BlockLabel>, Reported> {
    let value = typed(&labels.value, report)?;
    let texts: Option<Vec<String>> = value
        .items()
        .map(|items| items.iter().filter_map(convert::to_string).collect());
    let (Some(texts), Some(own)) = (
        texts.filter(|texts| Some(texts.len()) == value.items().map(<[Value]>::len)),
        block.labels.first(),
    ) else {
        let detail = "The labels of a dynamic block must be a list of strings.";
        let invalid = Diagnostic::new(INVALID_DYNAMIC, span(&labels.value), detail);
        return Err(report.add(invalid.summary("Invalid dynamic block label")));
    };
    let relabelled = |text: String| {
        let mut label = own.clone();
        match &mut label {
            BlockLabel::String(quoted) => *quoted.value_mut() = text,
            // Nobody writes it as HCL again.
            BlockLabel::Ident(bare) => *bare.value_mut() = Ident::new_unchecked(text),
        }
        label
    };
    Ok(texts.into_iter().map(relabelled).collect())
}
