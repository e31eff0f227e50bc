//! Operators and the conditional, with the conversions that HCL makes for their operands.

use hcl_edit::expr::{BinaryOp, BinaryOperator, Conditional, Expression, UnaryOp, UnaryOperator};

use crate::codes::*;
use crate::eval::{evaluate, span};
use crate::report::{Report, Reported};
use crate::{Span, Value, convert};

/// Evaluates `-x` and `!x`.
pub(crate) fn unary(operation: &UnaryOp, report: &mut Report<'_>) -> Result<Value, Reported> {
    match operation.operator.value() {
        UnaryOperator::Neg => number(&operation.expr, report).map(|n| Value::Number(0.0 - n)),
        UnaryOperator::Not => bool(&operation.expr, report).map(|b| Value::Bool(!b)),
    }
}

/// Evaluates an operator with two operands.
pub(crate) fn binary(operation: &BinaryOp, report: &mut Report<'_>) -> Result<Value, Reported> {
    let (left, right) = (&operation.lhs_expr, &operation.rhs_expr);
    let operator = *operation.operator.value();
    match operator {
        BinaryOperator::Eq | BinaryOperator::NotEq => {
            let (left, right) = (evaluate(left, report), evaluate(right, report));
            let equal = left? == right?;
            Ok(Value::Bool(equal == (operator == BinaryOperator::Eq)))
        }
        BinaryOperator::And | BinaryOperator::Or => {
            let (left, right) = (bool(left, report), bool(right, report));
            let (left, right) = (left?, right?);
            let and = operator == BinaryOperator::And;
            Ok(Value::Bool(if and { left && right } else { left || right }))
        }
        _ => {
            let (left, right) = (number(left, report), number(right, report));
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
fn decimal(result: f64) -> Option<f64> {
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
    let condition = bool(&conditional.cond_expr, report);
    let on_true = evaluate(&conditional.true_expr, report);
    let on_false = evaluate(&conditional.false_expr, report);
    let (condition, on_true, on_false) = (condition?, on_true?, on_false?);
    let chosen = if condition { &on_true } else { &on_false };
    if let Some(value) = unified(chosen, &on_true, &on_false) {
        return Ok(value);
    }
    let detail = format!(
        "The true and false result expressions must have consistent types: they are {} and {}.",
        convert::type_name(&on_true),
        convert::type_name(&on_false)
    );
    let place = span(&conditional.true_expr).start..span(&conditional.false_expr).end;
    Err(report.error(INCONSISTENT_CONDITIONAL, place, detail))
}

/// The chosen value in the type that both branches can have.
fn unified(chosen: &Value, on_true: &Value, on_false: &Value) -> Option<Value> {
    let same = convert::type_name(on_true) == convert::type_name(on_false);
    let null = matches!(on_true, Value::Null) || matches!(on_false, Value::Null);
    let text = matches!(on_true, Value::String(_)) || matches!(on_false, Value::String(_));
    if same || null {
        Some(chosen.clone())
    } else if text
        && convert::to_string(on_true).is_some()
        && convert::to_string(on_false).is_some()
    {
        convert::to_string(chosen).map(Value::String)
    } else {
        None
    }
}

fn number(expr: &Expression, report: &mut Report<'_>) -> Result<f64, Reported> {
    operand(expr, convert::to_number, "number", report)
}

/// Evaluates an expression that has to be a bool.
pub(crate) fn bool(expr: &Expression, report: &mut Report<'_>) -> Result<bool, Reported> {
    operand(expr, convert::to_bool, "bool", report)
}

fn operand<T>(
    expr: &Expression,
    read: impl Fn(&Value) -> Option<T>,
    wanted: &str,
    report: &mut Report<'_>,
) -> Result<T, Reported> {
    let value = evaluate(expr, report)?;
    read(&value).ok_or_else(|| {
        let detail = match value {
            Value::Null => format!("A {wanted} is required, but this is null."),
            Value::String(_) => format!("A {wanted} is required, and this string is none."),
            _ => format!(
                "A {wanted} is required, but this is {}.",
                convert::type_name(&value)
            ),
        };
        report.error(INVALID_OPERAND, span(expr), detail)
    })
}
