//! `variable "name" { … }` and `variables { … }`.

use hcl_edit::structure::{Block, Body};

use super::validation::Rule;
use super::{Assigned, Origin, Variable, Variables, attributes, constant};
use crate::Span;
use crate::codes::*;
use crate::convert::to_string;
use crate::cty::{self, Openness, Type, Value};
use crate::decode::{name, no_labels};
use crate::diagnostic::Diagnostic;
use crate::eval::{span, typed};
use crate::fields::{Fields, header, title};
use crate::report::{Report, Reported};
use crate::schema::VARIABLE;
use crate::typed::wrong;

/// Reads all declarations of a file.
pub(super) fn all<'b>(body: &'b Body, report: &mut Report<'_>) -> Variables<'b> {
    let mut variables = Variables::new();
    for block in body.blocks() {
        match block.ident.as_str() {
            "variable" => report.inside(title(block), |report| one(block, &mut variables, report)),
            "variables" => report.inside("variables".to_owned(), |report| {
                short(block, &mut variables, report)
            }),
            _ => {}
        }
    }
    variables
}

/// Each attribute is a variable with its default.
fn short<'b>(block: &'b Block, variables: &mut Variables<'b>, report: &mut Report<'_>) {
    no_labels(block, report);
    for attribute in attributes(&block.body, report) {
        let place = span(&attribute.key);
        let value = constant(report, |report| typed(&attribute.value, report));
        let variable = Variable {
            kind: value.as_ref().ok().map(Value::kind),
            is_broken: value.is_err(),
            assigned: value
                .ok()
                .map(|value| default(value, span(&attribute.value))),
            place: place.clone(),
            rules: Vec::new(),
        };
        add(attribute.key.as_str(), place, variable, variables, report);
    }
}

fn add<'b>(
    name: &str,
    place: Span,
    variable: Variable<'b>,
    variables: &mut Variables<'b>,
    report: &mut Report<'_>,
) {
    if let Some(before) = variables.get(name) {
        let before = report.place(&before.place);
        let detail = format!("The variable \"{name}\" was already declared at {before}.");
        report.error(DUPLICATE_VARIABLE, place, detail);
    } else {
        variables.insert(name.to_owned(), variable);
    }
}

fn default(value: Value, place: Span) -> Assigned {
    Assigned {
        value,
        from: Origin::Default,
        place,
        source: None,
    }
}

fn one<'b>(block: &'b Block, variables: &mut Variables<'b>, report: &mut Report<'_>) {
    let Ok(name) = name(block, report) else {
        return;
    };
    let is_identifier = name
        .value
        .starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name
            .value
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if !is_identifier {
        let detail = "A name must start with a letter or underscore and may contain only letters, digits, underscores, and dashes.";
        let invalid = Diagnostic::new(INVALID_NAME, name.span, detail);
        report.add(invalid.summary("Invalid variable name"));
        return;
    }
    let fields = Fields::of(&block.body, header(block), &VARIABLE, report);
    let described = description(&fields, report);
    let kind = kind(&fields, report);
    let value = assigned(&fields, kind.as_ref().ok().and_then(Option::as_ref), report);
    let rules: Vec<_> = fields
        .blocks()
        .iter()
        .map(|rule| Rule::of(rule, &name.value, report))
        .collect();
    let rules: Result<Vec<_>, _> = rules.into_iter().collect();
    let variable = Variable {
        place: header(block),
        is_broken: described.is_err() || kind.is_err() || value.is_err() || rules.is_err(),
        kind: match (kind, &value) {
            (Ok(Some(kind)), _) => Some(kind),
            (Ok(None), Ok(Some(assigned))) => Some(assigned.value.kind()),
            _ => None,
        },
        assigned: value.ok().flatten(),
        rules: rules.unwrap_or_default(),
    };
    add(&name.value, name.span, variable, variables, report);
}

fn description(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<(), Reported> {
    let Some(attribute) = fields.argument("description") else {
        return Ok(());
    };
    let value = constant(report, |report| typed(&attribute.value, report))?;
    match to_string(&value) {
        Some(_) => Ok(()),
        None => Err(wrong(
            "description",
            "string required".to_owned(),
            span(&attribute.value),
            report,
        )),
    }
}

fn kind(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<Option<Type>, Reported> {
    match fields.argument("type") {
        Some(attribute) => cty::constraint(&attribute.value, Openness::Exact, report).map(Some),
        None => Ok(None),
    }
}

fn assigned(
    fields: &Fields<'_>,
    kind: Option<&Type>,
    report: &mut Report<'_>,
) -> Result<Option<Assigned>, Reported> {
    let Some(attribute) = fields.argument("default") else {
        return Ok(None);
    };
    let place = span(&attribute.value);
    let value = constant(report, |report| typed(&attribute.value, report))?;
    let converted = match kind {
        Some(kind) => report.convert(value, kind, &place)?,
        None => Ok(value),
    };
    match converted {
        Ok(value) => Ok(Some(default(value, place))),
        Err(why) => {
            let detail = format!(
                "This default value is not compatible with the variable's type constraint: {why}."
            );
            Err(report.error(INVALID_DEFAULT, place, detail))
        }
    }
}
