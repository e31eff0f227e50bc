//! Expressions to values.
//!
//! Everything is evaluated, also beside a mistake, so that all mistakes of an expression come to light at once.

use hcl_edit::expr::{Expression, Object, ObjectKey};
use hcl_edit::template::{Element, HeredocTemplate};

use crate::codes::*;
use crate::cty::{Type, Value};
use crate::diagnostic::Diagnostic;
use crate::report::{Report, Reported};
use crate::syntax::MULTI_LINE_DETAIL;
use crate::template::{self, Trim};
use crate::{Span, call, comprehension, convert, dynamic, heredoc, operators, traversal};

/// The place of anything that the parser made.
pub(crate) fn span(of: &impl hcl_edit::Span) -> Span {
    of.span().unwrap_or_default()
}

/// Evaluates an expression to a value that no longer knows a list from a tuple.
pub(crate) fn evaluate(
    expr: &Expression,
    report: &mut Report<'_>,
) -> Result<crate::Value, Reported> {
    let value = typed(expr, report)?.into();
    holding_no_nul(value, &span(expr), report)
}

/// Lets a value out of the evaluator: what a function has decoded, or a file has said, may hold what no text that is written can.
pub(crate) fn holding_no_nul(
    value: crate::Value,
    place: &Span,
    report: &mut Report<'_>,
) -> Result<crate::Value, Reported> {
    if holds_nul(&value) {
        return Err(nul(place, report));
    }
    Ok(value)
}

fn holds_nul(value: &crate::Value) -> bool {
    match value {
        crate::Value::String(text) => text.contains('\0'),
        crate::Value::List(items) => items.iter().any(holds_nul),
        crate::Value::Object(items) => items
            .iter()
            .any(|(name, item)| name.contains('\0') || holds_nul(item)),
        crate::Value::Null | crate::Value::Bool(_) | crate::Value::Number(_) => false,
    }
}

fn nul(place: &Span, report: &mut Report<'_>) -> Reported {
    let detail = "A string must not contain the character NUL.";
    report.error(NUL_IN_STRING, place.clone(), detail)
}

/// Evaluates an expression.
pub(crate) fn typed(expr: &Expression, report: &mut Report<'_>) -> Result<Value, Reported> {
    report.spend(1, &span(expr))?;
    if let Some(scope) = dynamic::scope(expr) {
        let entered = report.names.enter(scope);
        let value = plain(expr, report);
        report.names.truncate(entered);
        return value;
    }
    let value = plain(expr, report)?;
    match expr {
        Expression::Array(_)
        | Expression::Object(_)
        | Expression::FuncCall(_)
        | Expression::ForExpr(_) => shallow(value, expr, report),
        _ => Ok(value),
    }
}

/// Deeper than anything that an expression says at once, and no deeper than what walks through a value has stack for.
const MAX_DEPTH: usize = 256;

/// Locals can put one list into the next without end.
fn shallow(value: Value, expr: &Expression, report: &mut Report<'_>) -> Result<Value, Reported> {
    if value.depth() > MAX_DEPTH {
        let detail = format!("Collections may be nested {MAX_DEPTH} levels deep at most.");
        return Err(report.error(TOO_DEEP, span(expr), detail));
    }
    Ok(value)
}

fn plain(expr: &Expression, report: &mut Report<'_>) -> Result<Value, Reported> {
    match expr {
        Expression::Null(_) => Ok(Value::Null(Type::Any)),
        Expression::Bool(bool) => Ok(Value::Bool(**bool)),
        Expression::Number(_) => number(&span(expr), report),
        Expression::String(text) => string(text, &span(expr), report),
        Expression::HeredocTemplate(heredoc) => heredoc_text(heredoc, &span(expr), report),
        Expression::StringTemplate(text) => template::quoted(text, &span(expr), report),
        Expression::Array(array) => {
            let items: Vec<_> = array.iter().map(|item| typed(item, report)).collect();
            items
                .into_iter()
                .collect::<Result<_, _>>()
                .map(Value::Tuple)
        }
        Expression::Object(items) => object(items, report),
        Expression::Parenthesis(inner) => typed(inner.inner(), report),
        Expression::UnaryOp(operation) => operators::unary(operation, report),
        Expression::BinaryOp(operation) => operators::binary(operation, report),
        Expression::Conditional(conditional) => operators::conditional(conditional, report),
        Expression::Variable(_) => traversal::variable(expr, report),
        Expression::Traversal(steps) => traversal::traversal(steps, report),
        Expression::FuncCall(call) => call::call(call, &span(expr), report),
        Expression::ForExpr(each) => comprehension::evaluate(each, &span(expr), report),
    }
}

fn number(span: &Span, report: &mut Report<'_>) -> Result<Value, Reported> {
    let written = report.source(span);
    // Between the sign and the digits space and comments may stand.
    let gap = written.rfind(|c: char| c.is_whitespace() || c == '/');
    let digits = written[gap.map_or(0, |at| at + 1)..].trim_start_matches('-');
    let sign = if written.starts_with('-') { -1.0 } else { 1.0 };
    match convert::exact(digits) {
        Some(number) => Ok(Value::Number(sign * number + 0.0)),
        None => {
            let detail =
                "This number has more digits than can be kept. If it is text, write it in quotes.";
            let fix = format!("\"{written}\"");
            Err(report.add(Diagnostic::new(INEXACT_NUMBER, span.clone(), detail).fix(fix)))
        }
    }
}

fn string(text: &str, span: &Span, report: &mut Report<'_>) -> Result<Value, Reported> {
    if report.source(span).contains('\n') {
        return Err(report.error(MULTI_LINE_STRING, span.clone(), MULTI_LINE_DETAIL));
    }
    report.spend(text.len(), span)?;
    without_nul(text.to_owned(), span, report)
}

/// No path, argument, name or variable can hold a NUL: it would end there.
pub(crate) fn without_nul(
    text: String,
    span: &Span,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    if text.contains('\0') {
        return Err(nul(span, report));
    }
    Ok(Value::String(text))
}

fn heredoc_text(
    heredoc: &HeredocTemplate,
    whole: &Span,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let place = span(&heredoc.template);
    let raw = report.source(&place);
    report.spend(raw.len(), whole)?;
    let indented = report.source(whole).starts_with("<<-");
    if heredoc.template.iter().all(Element::is_literal) {
        return without_nul(heredoc::value(raw, indented), whole, report);
    }
    let lines = heredoc::Dedented::of(raw, indented);
    let written = |offset| place.start + lines.written(offset);
    report.on(
        &lines.text,
        |of| written(of.start)..written(of.end),
        |report| template::bare(&lines.text, Trim::Line, report),
    )
}

fn object(items: &Object, report: &mut Report<'_>) -> Result<Value, Reported> {
    let mut values = std::collections::BTreeMap::new();
    let mut result = Ok(());
    for (key, item) in items {
        let name = object_key(key, report);
        let value = typed(item.expr(), report);
        match (name, value) {
            (Ok(name), Ok(value)) => {
                if values.contains_key(&name) {
                    let detail =
                        format!("The key \"{name}\" was already set. Each may be set only once.");
                    result = Err(report.error(DUPLICATE_ARGUMENT, span(key), detail));
                }
                values.insert(name, value);
            }
            _ => result = Err(Reported),
        }
    }
    result.map(|()| Value::Object(values))
}

fn object_key(key: &ObjectKey, report: &mut Report<'_>) -> Result<String, Reported> {
    let expr = match key {
        ObjectKey::Ident(name) => return Ok(name.as_str().to_owned()),
        ObjectKey::Expression(expr) => expr,
    };
    if let Expression::Traversal(traversal) = expr {
        let span = span(traversal.as_ref());
        let written = report.source(&span);
        let detail = format!("If the name {written} contains a period, write it in quotes.");
        let fix = format!("\"{written}\"");
        return Err(report.add(Diagnostic::new(INVALID_OBJECT_KEY, span, detail).fix(fix)));
    }
    let value = typed(expr, report)?;
    convert::to_string(&value).ok_or_else(|| {
        let (summary, detail) = match value {
            Value::Null(_) => (
                "Null value as key",
                "Can't use a null value as a key.".to_owned(),
            ),
            _ => (
                "Incorrect key type",
                format!(
                    "Can't use this value as a key: string required, but have {}.",
                    value.noun()
                ),
            ),
        };
        report.add(Diagnostic::new(INVALID_OBJECT_KEY, span(expr), detail).summary(summary))
    })
}
