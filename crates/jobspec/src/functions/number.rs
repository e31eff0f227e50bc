//! Numbers.

use super::{Function, any, fixed, number, variadic};
use crate::call::{self, Call, Failure, failed, whole};
use crate::convert;
use crate::cty::{Type, Value};
use crate::operators::decimal;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("abs", &[number("num")], |of, _| {
        exact(call::number(&of[0]).abs())
    }),
    fixed("ceil", &[number("num")], |of, _| {
        exact(call::number(&of[0]).ceil())
    }),
    fixed("floor", &[number("num")], |of, _| {
        exact(call::number(&of[0]).floor())
    }),
    fixed("int", &[number("num")], |of, _| {
        exact(call::number(&of[0]).trunc())
    }),
    fixed("log", &[number("num"), number("base")], |of, _| {
        finite(call::number(&of[0]).ln() / call::number(&of[1]).ln())
    }),
    fixed("parseint", &[any("number"), number("base")], parseint),
    fixed("pow", &[number("num"), number("power")], |of, _| {
        finite(call::number(&of[0]).powf(call::number(&of[1])))
    }),
    fixed("signum", &[number("num")], |of, _| signum(&of[0])),
    variadic("max", &[], number("numbers"), |of, _| {
        extreme(&of, f64::max)
    }),
    variadic("min", &[], number("numbers"), |of, _| {
        extreme(&of, f64::min)
    }),
    variadic("range", &[], number("params"), range),
];

/// A result, unless it is infinite or would be rounded.
pub(super) fn exact(result: f64) -> Result<Value, Failure> {
    match decimal(result) {
        Some(result) if result.is_finite() => Ok(Value::Number(result)),
        _ => failed("the result has more digits than can be kept"),
    }
}

/// A result with all the digits that it has, unless it is too large.
fn finite(result: f64) -> Result<Value, Failure> {
    if result.abs() < convert::EXACT {
        return Ok(Value::Number(result + 0.0));
    }
    failed("the result has more digits than can be kept")
}

fn signum(of: &Value) -> Result<Value, Failure> {
    let number = whole(of, 0)?;
    exact(if number == 0 {
        0.0
    } else {
        call::number(of).signum()
    })
}

fn extreme(of: &[Value], choose: fn(f64, f64) -> f64) -> Result<Value, Failure> {
    match of.iter().map(call::number).reduce(choose) {
        Some(number) => Ok(Value::Number(number)),
        None => failed("must pass at least one number"),
    }
}

fn parseint(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let Value::String(digits) = &of[0] else {
        let why = format!(
            "first argument must be a string, not {}",
            of[0].kind().name()
        );
        return Err(Failure::Argument(0, why));
    };
    let base = match whole(&of[1], 1) {
        Ok(base @ 2..=62) => base,
        _ => {
            return Err(Failure::Argument(
                1,
                "base must be a whole number between 2 and 62 inclusive".to_owned(),
            ));
        }
    };
    match digits_in(digits, base) {
        Some(number) => exact(number),
        None => Err(Failure::Argument(
            0,
            format!("cannot parse {digits:?} as a base {base} integer"),
        )),
    }
}

/// Above base 36 capital letters are digits of their own.
#[allow(
    clippy::cast_precision_loss,
    reason = "digits and bases are small; the sum is checked to be exact"
)]
fn digits_in(text: &str, base: i64) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() {
        return None;
    }
    let mut sum = 0.0;
    for c in digits.chars() {
        let digit = match c {
            'A'..='Z' if base > 36 => 36 + i64::from(c as u32 - 'A' as u32),
            _ => i64::from(c.to_digit(36)?),
        };
        if digit >= base {
            return None;
        }
        sum = sum * base as f64 + digit as f64;
    }
    Some(if text.starts_with('-') { -sum } else { sum })
}

/// As many as Nomad gives; its own bound.
const MOST: usize = 1024;

fn range(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let numbers: Vec<f64> = of.iter().map(call::number).collect();
    let (start, end, step) = match numbers.as_slice() {
        [end] => (0.0, *end, if *end < 0.0 { -1.0 } else { 1.0 }),
        [start, end] => (*start, *end, if end < start { -1.0 } else { 1.0 }),
        [start, end, step] => (*start, *end, *step),
        _ => return failed("must have one, two, or three arguments"),
    };
    if step > 0.0 && end < start {
        return Err(Failure::Argument(
            1,
            "end must be greater than start when step is positive".to_owned(),
        ));
    }
    if step < 0.0 && end > start {
        return Err(Failure::Argument(
            1,
            "end must be less than start when step is negative".to_owned(),
        ));
    }
    let mut items = Vec::new();
    let mut next = start;
    while if step < 0.0 { next > end } else { next < end } {
        if items.len() == MOST {
            return failed(
                "more than 1024 values were generated; either decrease the difference between start and end or use a smaller step",
            );
        }
        call.spend(1)?;
        items.push(exact(next)?);
        next = decimal(next + step).unwrap_or(f64::INFINITY);
    }
    Ok(Value::List(Type::Number, items))
}
