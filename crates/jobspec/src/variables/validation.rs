//! `validation { condition, error_message }` of a variable.

use std::collections::BTreeMap;

use hcl_edit::expr::{Expression, Traversal};
use hcl_edit::structure::Block;
use hcl_edit::visit::{Visit, visit_expr, visit_traversal};

use super::{Assigned, Variable, constant};
use crate::Span;
use crate::codes::*;
use crate::convert::{to_bool, to_string};
use crate::cty::Value;
use crate::decode::no_labels;
use crate::diagnostic::Diagnostic;
use crate::eval::{span, typed};
use crate::fields::{Fields, header};
use crate::names::{Functions, Known, Others};
use crate::report::{Report, Reported};
use crate::schema::VALIDATION;
use crate::traversal::first_name;

/// What a value must satisfy.
#[derive(Debug)]
pub(super) struct Rule<'b> {
    place: Span,
    condition: &'b Expression,
    message: String,
}

impl<'b> Rule<'b> {
    /// Reads a rule of the variable of that name.
    pub(super) fn of(
        block: &'b Block,
        variable: &str,
        report: &mut Report<'_>,
    ) -> Result<Self, Reported> {
        report.inside("validation".to_owned(), |report| {
            no_labels(block, report);
            let fields = Fields::of(&block.body, header(block), &VALIDATION, report);
            let condition = condition(&fields, variable, report);
            let message = message(&fields, report);
            Ok(Rule {
                place: header(block),
                condition: condition?,
                message: message?,
            })
        })
    }
}

fn required<'b>(
    fields: &Fields<'b>,
    name: &str,
    report: &mut Report<'_>,
) -> Result<&'b Expression, Reported> {
    match fields.argument(name) {
        Some(attribute) => Ok(&attribute.value),
        None => {
            let detail =
                format!("The argument \"{name}\" is required, but no definition was found.");
            Err(report.error(MISSING_ARGUMENT, fields.header(), detail))
        }
    }
}

/// It speaks of its own variable and of nothing else.
fn condition<'b>(
    fields: &Fields<'b>,
    variable: &str,
    report: &mut Report<'_>,
) -> Result<&'b Expression, Reported> {
    let condition = required(fields, "condition", report)?;
    let mut found = References {
        variable,
        own: 0,
        others: Vec::new(),
    };
    found.visit_expr(condition);
    let mut result = Ok(condition);
    for place in found.others {
        let detail = format!(
            "The condition for variable {variable:?} can only refer to the variable itself, using var.{variable}."
        );
        let invalid = Diagnostic::new(INVALID_VALIDATION, place, detail);
        result = Err(report.add(invalid.summary("Invalid reference in variable validation")));
    }
    if found.own == 0 && result.is_ok() {
        let detail = format!(
            "The condition for variable {variable:?} must refer to var.{variable} in order to test incoming values."
        );
        let invalid = Diagnostic::new(INVALID_VALIDATION, span(condition), detail);
        result = Err(report.add(invalid.summary("Invalid variable validation condition")));
    }
    result
}

/// Which variables an expression refers to; the names of its own loops are none.
struct References<'v> {
    variable: &'v str,
    own: usize,
    others: Vec<Span>,
}

impl Visit for References<'_> {
    fn visit_expr(&mut self, node: &Expression) {
        if let Expression::Variable(name) = node
            && matches!(name.as_str(), "var" | "local")
        {
            self.others.push(span(node));
        }
        visit_expr(self, node);
    }

    fn visit_traversal(&mut self, node: &Traversal) {
        match &node.expr {
            Expression::Variable(root)
                if root.as_str() == "var" && first_name(&node.operators) == Some(self.variable) =>
            {
                self.own += 1
            }
            _ => return visit_traversal(self, node),
        }
        for step in &node.operators {
            self.visit_traversal_operator(step);
        }
    }
}

fn message(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<String, Reported> {
    let expr = required(fields, "error_message", report)?;
    let value = constant(report, |report| typed(expr, report))?;
    match to_string(&value) {
        Some(text) if !text.trim().is_empty() => Ok(text),
        _ => {
            let detail = "An empty or blank string is not a valid nor useful error message.";
            let invalid = Diagnostic::new(INVALID_VALIDATION, span(expr), detail);
            Err(report.add(invalid.summary("Invalid validation error message")))
        }
    }
}

/// Holds a value against the rules of its variable.
pub(super) fn check(
    name: &str,
    variable: &Variable<'_>,
    assigned: &Assigned,
    report: &mut Report<'_>,
) -> Result<(), Reported> {
    let mut result = Ok(());
    for rule in &variable.rules {
        if !holds(rule, name, &assigned.value, report)? {
            let place = report.place(&rule.place);
            let detail = format!(
                "{} This was checked by the validation rule at {place}.",
                sentence(&rule.message)
            );
            let mut refused =
                Diagnostic::new(INVALID_VARIABLE_VALUE, assigned.place.clone(), detail);
            refused.source.clone_from(&assigned.source);
            let summary = format!("Invalid value for {} variable", assigned.from.word());
            result = Err(report.add(refused.summary(summary)));
        }
    }
    result
}

/// The author's words, which may lack the full stop.
fn sentence(message: &str) -> String {
    let message = message.trim();
    if message.ends_with(['.', '!', '?']) {
        message.to_owned()
    } else {
        format!("{message}.")
    }
}

fn holds(
    rule: &Rule<'_>,
    name: &str,
    value: &Value,
    report: &mut Report<'_>,
) -> Result<bool, Reported> {
    let only = Value::Object(BTreeMap::from([(name.to_owned(), value.clone())]));
    let known = Known {
        roots: BTreeMap::from([("var".to_owned(), only)]),
        others: Others::Unknown,
        functions: Functions::Job(None),
        ..Known::default()
    };
    let result = report.knowing(known, |report| typed(rule.condition, report))?;
    to_bool(&result).ok_or_else(|| {
        let detail = match result {
            Value::Null(_) => {
                "Validation condition expression must return either true or false, not null."
                    .to_owned()
            }
            _ => format!(
                "Invalid validation condition result value: bool required, but have {}.",
                result.noun()
            ),
        };
        let invalid = Diagnostic::new(INVALID_VALIDATION, span(rule.condition), detail);
        report.add(invalid.summary("Invalid variable validation result"))
    })
}
