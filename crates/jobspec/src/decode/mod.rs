//! The syntax tree to a job, as Nomad reads, completes and checks it.

mod artifact;
mod config;
mod constraint;
mod decoration;
mod group;
mod job;
mod lifecycle;
mod logs;
pub(crate) mod maps;
mod network;
pub(crate) mod references;
mod resources;
mod restart;
mod task;
mod template;
mod volume;

use std::collections::BTreeMap;

use hcl_edit::structure::Block;

use crate::codes::*;
use crate::diagnostic::Diagnostic;
use crate::eval::span;
use crate::fields::header;
use crate::report::{Report, Reported};
use crate::syntax::MULTI_LINE_DETAIL;
use crate::{Span, Spanned};

pub(crate) use job::file;

/// Reads the one label of a block that has a name.
pub(crate) fn name(block: &Block, report: &mut Report<'_>) -> Result<Spanned<String>, Reported> {
    let kind = block.ident.as_str();
    let Some(label) = block.labels.first() else {
        let detail = format!("A {kind} block needs a name: {kind} \"example\" {{ … }}.");
        let summary = format!("Missing name for {kind}");
        let missing = Diagnostic::new(MISSING_LABEL, header(block), detail).summary(summary);
        return Err(report.add(missing));
    };
    if let Some(second) = block.labels.get(1) {
        let detail = format!("A {kind} block has one label, its name.");
        extraneous(kind, span(second), detail, report);
    }
    let place = span(label);
    let value = label.as_str().to_owned();
    if report.source(&place).contains('\n') {
        return Err(report.error(MULTI_LINE_STRING, place, MULTI_LINE_DETAIL));
    }
    if value.is_empty() {
        let detail = format!("The name of a {kind} must not be empty.");
        return Err(report.error(INVALID_NAME, place, detail));
    }
    if value.contains('\0') {
        let detail = format!("The name of a {kind} must not contain the character NUL.");
        return Err(report.error(INVALID_NAME, place, detail));
    }
    Ok(Spanned { value, span: place })
}

/// Reports the labels of a block that has none.
pub(crate) fn no_labels(block: &Block, report: &mut Report<'_>) {
    if let Some(label) = block.labels.first() {
        let kind = block.ident.as_str();
        let detail = format!("No labels are expected for {kind} blocks.");
        extraneous(kind, span(label), detail, report);
    }
}

fn extraneous(kind: &str, place: Span, detail: String, report: &mut Report<'_>) {
    let summary = format!("Extraneous label for {kind}");
    report.add(Diagnostic::new(EXTRANEOUS_LABEL, place, detail).summary(summary));
}

/// Reports the blocks that have the name of one before them.
fn unique_names(blocks: &[&Block], what: &str, report: &mut Report<'_>) {
    let mut names: BTreeMap<&str, Span> = BTreeMap::new();
    for block in blocks {
        let place = header(block);
        let Some(label) = block.labels.first() else {
            continue;
        };
        let name = label.as_str();
        if let Some(before) = names.get(name) {
            let before = report.place(before);
            let detail = format!("The {what} \"{name}\" was already defined at {before}.");
            report.error(DUPLICATE_NAME, place, detail);
        } else {
            names.insert(name, place);
        }
    }
}
