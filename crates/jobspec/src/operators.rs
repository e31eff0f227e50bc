//! Operators and the conditional, with the conversions that HCL makes for their operands.

use hcl_edit::expr::{BinaryOp, BinaryOperator, Conditional, Expression, UnaryOp, UnaryOperator};

use crate::codes::*;
use crate::cty::{self, Type, Value};
use crate::diagnostic::Diagnostic;
use crate::eval::{span, typed};
use crate::report::{Report, Reported};
use crate::{Span, convert};

/// Evaluates `-x` and `!x`.
pub(crate) fn unary(operation: &UnaryOp, report: &mut Report<'_>) -> Result<Value, Reported> {
    match operation.operator.value() {
        UnaryOperator::Neg => {
            number(&operation.expr, "unary", report).map(|n| Value::Number(0.0 - n))
        }
        UnaryOperator::Not => truth(&operation.expr, "unary", report).map(|b| Value::Bool(!b)),
    }
}

/// Evaluates an operator with two operands.
pub(crate) fn binary(operation: &BinaryOp, report: &mut Report<'_>) -> Result<Value, Reported> {
    let (left, right) = (&operation.lhs_expr, &operation.rhs_expr);
    let operator = *operation.operator.value();
    match operator {
        BinaryOperator::Eq | BinaryOperator::NotEq => {
            let (left, right) = (typed(left, report), typed(right, report));
            let equal = equal(&left?, &right?);
            Ok(Value::Bool(equal == (operator == BinaryOperator::Eq)))
        }
        BinaryOperator::And | BinaryOperator::Or => {
            let (left, right) = (truth(left, "left", report), truth(right, "right", report));
            let (left, right) = (left?, right?);
            let and = operator == BinaryOperator::And;
            Ok(Value::Bool(if and { left && right } else { left || right }))
        }
        _ => {
            let (left, right) = (number(left, "left", report), number(right, "right", report));
            let place = span(&operation.lhs_expr).start..span(&operation.rhs_expr).end;
            calculate(operator, (left?, right?), place, report)
        }
    }
}

fn calculate(
    operator: BinaryOperator,
    (left, right): (f64, f64),
    place: Span,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let result = match operator {
        BinaryOperator::Less => return Ok(Value::Bool(left < right)),
        BinaryOperator::LessEq => return Ok(Value::Bool(left <= right)),
        BinaryOperator::Greater => return Ok(Value::Bool(left > right)),
        BinaryOperator::GreaterEq => return Ok(Value::Bool(left >= right)),
        BinaryOperator::Div | BinaryOperator::Mod if right == 0.0 => {
            return Err(report.error(DIVISION_BY_ZERO, place, "The divisor is zero."));
        }
        BinaryOperator::Plus => left + right,
        BinaryOperator::Minus => left - right,
        BinaryOperator::Mul => left * right,
        BinaryOperator::Div => left / right,
        // Equality and logic do not come here.
        _ => left % right,
    };
    decimal(result)
        .ok_or_else(|| {
            let detail = "The result has more digits than can be kept.";
            report.error(INEXACT_NUMBER, place, detail)
        })
        .map(Value::Number)
}

/// The result as decimal arithmetic has it: HCL counts with 512 bits, so that `0.1 + 0.2` is `0.3`.
pub(crate) fn decimal(result: f64) -> Option<f64> {
    let kept = result.abs() < convert::EXACT;
    let rounded = if result.fract() == 0.0 {
        result
    } else {
        format!("{result:.14e}").parse().unwrap_or(result)
    };
    kept.then_some(rounded + 0.0)
}

/// Evaluates `condition ? a : b`; both branches, since a mistake in either is one.
pub(crate) fn conditional(
    conditional: &Conditional,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let condition = condition(&conditional.cond_expr, report);
    let on_true = typed(&conditional.true_expr, report);
    let on_false = typed(&conditional.false_expr, report);
    let (condition, on_true, on_false) = (condition?, on_true?, on_false?);
    let chosen = if condition { &on_true } else { &on_false };
    let place = span(&conditional.true_expr).start..span(&conditional.false_expr).end;
    if let Some(value) = unified(chosen, [&on_true, &on_false], &place, report)? {
        return Ok(value);
    }
    let detail = format!(
        "The true and false result expressions must have consistent types. The 'true' value is {}, but the 'false' value is {}.",
        on_true.noun(),
        on_false.noun()
    );
    Err(report.error(INCONSISTENT_CONDITIONAL, place, detail))
}

/// Values of different types are different; null is null whatever its type.
fn equal(left: &Value, right: &Value) -> bool {
    (left.is_null() && right.is_null()) || left == right
}

/// The chosen value in the type that both branches can have.
fn unified(
    chosen: &Value,
    branches: [&Value; 2],
    place: &Span,
    report: &mut Report<'_>,
) -> Result<Option<Value>, Reported> {
    let kind = match branches {
        [Value::Null(Type::Any), other] | [other, Value::Null(Type::Any)] => Some(other.kind()),
        branches => report.unify(&branches.map(Value::kind), place)?,
    };
    let Some(kind) = kind else { return Ok(None) };
    Ok(report.convert(chosen.clone(), &kind, place)?.ok())
}

fn number(expr: &Expression, side: &str, report: &mut Report<'_>) -> Result<f64, Reported> {
    let value = operand(expr, side, &Type::Number, report)?;
    Ok(convert::to_number(&value).unwrap_or_default())
}

fn truth(expr: &Expression, side: &str, report: &mut Report<'_>) -> Result<bool, Reported> {
    let value = operand(expr, side, &Type::Bool, report)?;
    Ok(convert::to_bool(&value).unwrap_or_default())
}

/// Evaluates what an operator works on, in the type that it works on.
fn operand(
    expr: &Expression,
    side: &str,
    kind: &Type,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let value = typed(expr, report)?;
    if value.is_null() {
        let detail = "Error during operation: argument must not be null.";
        let null = Diagnostic::new(INVALID_OPERAND, span(expr), detail);
        return Err(report.add(null.summary("Operation failed")));
    }
    cty::to_primitive(value, kind).map_err(|why| {
        let detail = format!("Unsuitable value for {side} operand: {why}.");
        report.error(INVALID_OPERAND, span(expr), detail)
    })
}

/// Evaluates a condition.
pub(crate) fn condition(expr: &Expression, report: &mut Report<'_>) -> Result<bool, Reported> {
    let value = typed(expr, report)?;
    let (summary, detail) = match convert::to_bool(&value) {
        Some(bool) => return Ok(bool),
        None if value.is_null() => (
            "Null condition",
            "The condition value is null. Conditions must either be true or false.",
        ),
        None => (
            "Incorrect condition type",
            "The condition expression must be of type bool.",
        ),
    };
    let wrong = Diagnostic::new(INVALID_CONDITION, span(expr), detail);
    Err(report.add(wrong.summary(summary)))
}
