//! `eq`, `lt` and the like.
use std::cmp::Ordering;

use super::value::Value;

const BAD_TYPE: &str = "invalid type for comparison";

pub(super) fn equal(one: &Value, other: &Value) -> Result<bool, String> {
    Ok(match (one, other) {
        (Value::Missing | Value::Nil, Value::Missing | Value::Nil) => true,
        (Value::Missing | Value::Nil, _) | (_, Value::Missing | Value::Nil) => false,
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Int(one), Value::Int(other)) => one == other,
        (Value::Uint(one), Value::Uint(other)) => one == other,
        (Value::Int(int), Value::Uint(uint)) | (Value::Uint(uint), Value::Int(int)) => {
            u64::try_from(*int) == Ok(*uint)
        }
        (Value::Float(one), Value::Float(other)) => one == other,
        (Value::Text(one), Value::Text(other)) => one == other,
        (Value::List(_), Value::List(_)) | (Value::Map(_), Value::Map(_)) => {
            return Err(format!("non-comparable type {}", one.type_name()));
        }
        (Value::Scratch, Value::Scratch) => true,
        _ => {
            return Err(format!(
                "incompatible types for comparison: {} and {}",
                one.type_name(),
                other.type_name()
            ));
        }
    })
}

pub(super) fn less(one: &Value, other: &Value) -> Result<bool, String> {
    let order = match (one, other) {
        (Value::Int(one), Value::Int(other)) => one.cmp(other),
        (Value::Uint(one), Value::Uint(other)) => one.cmp(other),
        (Value::Int(int), Value::Uint(uint)) => i128::from(*int).cmp(&i128::from(*uint)),
        (Value::Uint(uint), Value::Int(int)) => i128::from(*uint).cmp(&i128::from(*int)),
        (Value::Float(one), Value::Float(other)) => {
            return Ok(one < other);
        }
        (Value::Text(one), Value::Text(other)) => one.cmp(other),
        _ if ordered(one) && ordered(other) => {
            return Err("incompatible types for comparison".to_owned());
        }
        _ => return Err(BAD_TYPE.to_owned()),
    };
    Ok(order == Ordering::Less)
}

fn ordered(value: &Value) -> bool {
    matches!(
        value,
        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) | Value::Text(_)
    )
}
