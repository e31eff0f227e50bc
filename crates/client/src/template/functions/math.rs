//! Numbers. Of two arguments the first is the one on the right: `5 | subtract 2` is 3.
use super::super::go::{Parameter, Value};
use super::{Entry, entry, text};

const TWO: &[Parameter] = &[Parameter::Any, Parameter::Any];

pub(super) const TABLE: &[Entry] = &[
    entry("add", TWO, None, |_, args| calculate("add", args, &ADD)),
    entry("subtract", TWO, None, |_, args| {
        calculate("subtract", args, &SUBTRACT)
    }),
    entry("multiply", TWO, None, |_, args| {
        calculate("multiply", args, &MULTIPLY)
    }),
    entry("divide", TWO, None, |_, args| {
        calculate("divide", args, &DIVIDE)
    }),
    entry("modulo", TWO, None, |_, args| modulo(args)),
    entry("minimum", TWO, None, |_, args| {
        choose("minimum", args, |a, b| a < b)
    }),
    entry("maximum", TWO, None, |_, args| {
        choose("maximum", args, |a, b| a > b)
    }),
    entry("loop", &[], Some(Parameter::Any), |_, args| turns(args)),
];

/// One operation on each kind of numbers; integers wrap as Go's do.
struct Operation {
    int: fn(i64, i64) -> Option<i64>,
    uint: fn(u64, u64) -> Option<u64>,
    float: fn(f64, f64) -> f64,
}

const ADD: Operation = Operation {
    int: |a, b| Some(a.wrapping_add(b)),
    uint: |a, b| Some(a.wrapping_add(b)),
    float: |a, b| a + b,
};
const SUBTRACT: Operation = Operation {
    int: |a, b| Some(a.wrapping_sub(b)),
    uint: |a, b| Some(a.wrapping_sub(b)),
    float: |a, b| a - b,
};
const MULTIPLY: Operation = Operation {
    int: |a, b| Some(a.wrapping_mul(b)),
    uint: |a, b| Some(a.wrapping_mul(b)),
    float: |a, b| a * b,
};
const DIVIDE: Operation = Operation {
    int: |a, b| (b != 0).then(|| a.wrapping_div(b)),
    uint: |a, b| a.checked_div(b),
    float: |a, b| a / b,
};
const MODULO: Operation = Operation {
    int: |a, b| (b != 0).then(|| a.wrapping_rem(b)),
    uint: |a, b| a.checked_rem(b),
    float: |a, b| a % b,
};

/// The left and the right operand: the last argument is what a pipeline hands over.
fn operands<'a>(name: &str, args: &'a [Value]) -> Result<(&'a Value, &'a Value), String> {
    for value in args.iter().rev() {
        if !matches!(value, Value::Int(_) | Value::Uint(_) | Value::Float(_)) {
            return Err(format!("{name}: unknown type {}", value.type_name()));
        }
    }
    match args {
        [right, left] => Ok((left, right)),
        _ => Err(format!("{name}: two numbers are needed")),
    }
}

fn float(value: &Value) -> f64 {
    match value {
        Value::Int(value) => *value as f64,
        Value::Uint(value) => *value as f64,
        Value::Float(value) => *value,
        _ => 0.0,
    }
}

/// As Go converts: the bits stay.
fn int(value: &Value) -> i64 {
    match value {
        Value::Int(value) => *value,
        Value::Uint(value) => *value as i64,
        _ => 0,
    }
}

fn calculate(name: &str, args: &[Value], operation: &Operation) -> Result<Value, String> {
    let by_zero = || "integer divide by zero".to_owned();
    match operands(name, args)? {
        (left @ Value::Float(_), right) | (left, right @ Value::Float(_)) => {
            Ok(Value::Float((operation.float)(float(left), float(right))))
        }
        (Value::Uint(left), Value::Uint(right)) => (operation.uint)(*left, *right)
            .map(Value::Uint)
            .ok_or_else(by_zero),
        (left, right) => (operation.int)(int(left), int(right))
            .map(Value::Int)
            .ok_or_else(by_zero),
    }
}

fn modulo(args: &[Value]) -> Result<Value, String> {
    if args.iter().any(|value| matches!(value, Value::Float(_))) {
        return Err("modulo: unknown type float64".to_owned());
    }
    calculate("modulo", args, &MODULO)
}

fn choose(name: &str, args: &[Value], better: fn(f64, f64) -> bool) -> Result<Value, String> {
    let (left, right) = operands(name, args)?;
    let left_is = match (left, right) {
        (Value::Int(a), Value::Int(b)) => a != b && (better(1.0, 0.0) == (a > b)),
        (Value::Uint(a), Value::Uint(b)) => a != b && (better(1.0, 0.0) == (a > b)),
        (left, right) => better(float(left), float(right)),
    };
    Ok(if left_is { left } else { right }.clone())
}

/// The numbers from 0, or from the first, up to the last.
fn turns(args: &[Value]) -> Result<Value, String> {
    let (start, end) = match args {
        [end] => (0, bound(end)?),
        [start, end] => (bound(start)?, bound(end)?),
        args => {
            return Err(format!(
                "loop: wrong number of arguments, expected 1 or 2, but got {}",
                args.len()
            ));
        }
    };
    let count = i128::from(end) - i128::from(start);
    let most = super::super::go::MAX_ITEMS;
    if count > most as i128 {
        return Err(format!("loop: {count} turns; there may be {most}"));
    }
    Value::list((start..end).map(Value::Int).collect())
}

fn bound(value: &Value) -> Result<i64, String> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::Uint(_) => Ok(int(value)),
        Value::Text(number) => text::parse_int(&String::from_utf8_lossy(number)),
        other => Err(format!("loop: bad argument type: {}", other.type_name())),
    }
}
