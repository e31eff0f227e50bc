//! One type's values as another's.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::mismatch::mismatch;
use super::{Type, Value, unify};
use crate::convert as primitive;
use crate::steps::Steps;

/// Which conversions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Safety {
    /// Only those that succeed for every value.
    Safe,
    /// Also those that a value may not stand: `"a"` is no number.
    Unsafe,
}

/// The value as that type.
///
/// # Errors
/// Why it is none, for a message; whatever it says, where no work is left.
pub(crate) fn convert(value: Value, wanted: &Type, steps: &mut Steps) -> Result<Value, String> {
    if matches!(wanted, Type::Any) {
        return Ok(value);
    }
    let kind = value.kind();
    if kind == *wanted {
        return Ok(value);
    }
    if !convertible(&kind, wanted, Safety::Unsafe, steps) {
        return Err(mismatch(&kind, wanted, steps));
    }
    converted(value, wanted, steps)
}

/// The value as a bool, a number or a string, which costs nothing.
///
/// # Errors
/// Why it is none, for a message.
pub(crate) fn to_primitive(value: Value, wanted: &Type) -> Result<Value, String> {
    convert(value, wanted, &mut Steps::default())
}

/// Whether there is a conversion between types.
pub(super) fn convertible(from: &Type, to: &Type, safety: Safety, steps: &mut Steps) -> bool {
    if !steps.take(1) {
        return false;
    }
    if from == to {
        return true;
    }
    let free = safety == Safety::Unsafe;
    match (from, to) {
        (_, Type::Any) => true,
        (Type::Any, _) => free,
        (Type::Number | Type::Bool, Type::String) => true,
        (Type::String, Type::Number | Type::Bool) => free,
        (Type::List(from) | Type::Set(from), Type::List(to))
        | (Type::Set(from), Type::Set(to))
        | (Type::Map(from), Type::Map(to)) => convertible(from, to, safety, steps),
        (Type::List(from), Type::Set(to)) => free && convertible(from, to, safety, steps),
        (Type::Tuple(items), Type::List(to) | Type::Set(to)) => {
            all(items.iter(), to, safety, steps)
        }
        (Type::Object(items, _), Type::Map(to)) => all(items.values(), to, safety, steps),
        (Type::Map(from), Type::Object(to, _)) => {
            free && to.values().all(|to| convertible(from, to, safety, steps))
        }
        (Type::Object(from, _), Type::Object(to, optional)) => {
            to.iter().all(|(name, to)| match from.get(name) {
                Some(from) => convertible(from, to, safety, steps),
                None => steps.take(1) && optional.contains(name),
            })
        }
        (Type::Tuple(from), Type::Tuple(to)) => {
            from.len() == to.len()
                && from
                    .iter()
                    .zip(to)
                    .all(|(from, to)| convertible(from, to, safety, steps))
        }
        _ => false,
    }
}

/// Whether items of these types fit into a collection; of any type means one that all of them have.
fn all<'t>(
    mut items: impl Iterator<Item = &'t Type>,
    to: &Type,
    safety: Safety,
    steps: &mut Steps,
) -> bool {
    if matches!(to, Type::Any) {
        let items: Vec<Type> = items.cloned().collect();
        return items.is_empty() || unify(&items, steps).is_some();
    }
    items.all(|item| convertible(item, to, safety, steps))
}

fn converted(value: Value, wanted: &Type, steps: &mut Steps) -> Result<Value, String> {
    match (value, wanted) {
        (value, Type::Any) => Ok(value),
        (Value::Null(_), wanted) => null(wanted, steps),
        (value, Type::String) => primitive::to_string(&value)
            .map(Value::String)
            .ok_or_else(|| "string required".to_owned()),
        (value, Type::Number) => primitive::to_number(&value)
            .map(Value::Number)
            .ok_or_else(|| "a number is required".to_owned()),
        (value, Type::Bool) => primitive::to_bool(&value)
            .map(Value::Bool)
            .ok_or_else(|| not_a_bool(&value)),
        (Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items), Type::List(item)) => {
            sequence(items, item, steps).map(|(item, items)| Value::List(item, items))
        }
        (Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items), Type::Set(item)) => {
            sequence(items, item, steps).map(|(item, items)| Value::set(item, items))
        }
        (Value::Map(_, items) | Value::Object(items), Type::Map(item)) => {
            let (names, items): (Vec<_>, Vec<_>) = items.into_iter().unzip();
            let (item, items) = sequence(items, item, steps)?;
            Ok(Value::Map(item, names.into_iter().zip(items).collect()))
        }
        (Value::Map(_, items) | Value::Object(items), Type::Object(wanted, optional)) => {
            object(items, wanted, optional, steps)
        }
        (Value::Tuple(items), Type::Tuple(wanted)) => {
            let items = items.into_iter().zip(wanted);
            items
                .map(|(item, wanted)| converted(item, wanted, steps))
                .collect::<Result<_, _>>()
                .map(Value::Tuple)
        }
        (value, wanted) => Err(mismatch(&value.kind(), wanted, steps)),
    }
}

/// A type that a value carries, of which a value may have any number.
fn carried(kind: &Type, steps: &mut Steps) -> Result<Type, String> {
    if steps.take(kind.size()) {
        Ok(kind.exact())
    } else {
        Err("it is too large".to_owned())
    }
}

fn null(wanted: &Type, steps: &mut Steps) -> Result<Value, String> {
    carried(wanted, steps).map(Value::Null)
}

/// Items in the type that was asked for, or in the one that all of them have.
fn sequence(
    items: Vec<Value>,
    wanted: &Type,
    steps: &mut Steps,
) -> Result<(Type, Vec<Value>), String> {
    let common = match wanted {
        Type::Any => {
            let kinds: Vec<Type> = items.iter().map(Value::kind).collect();
            Cow::Owned(unify(&kinds, steps).unwrap_or(Type::Any))
        }
        wanted => Cow::Borrowed(wanted),
    };
    let items: Vec<Value> = items
        .into_iter()
        .map(|item| converted(item, &common, steps))
        .collect::<Result<_, _>>()?;
    // Where a part of the type was left open, the items say what it is.
    let kind = match items.first() {
        Some(first) if common.has_any() => first.kind(),
        _ => carried(&common, steps)?,
    };
    Ok((kind, items))
}

fn object(
    mut items: BTreeMap<String, Value>,
    wanted: &BTreeMap<String, Type>,
    optional: &BTreeSet<String>,
    steps: &mut Steps,
) -> Result<Value, String> {
    let mut object = BTreeMap::new();
    for (name, kind) in wanted {
        let value = match items.remove(name) {
            Some(item) => converted(item, kind, steps)?,
            None if optional.contains(name) => {
                // Nothing of it was there before.
                steps.take(name.len());
                null(kind, steps)?
            }
            None => {
                return Err(format!(
                    "map has no element for required attribute {name:?}"
                ));
            }
        };
        object.insert(name.clone(), value);
    }
    Ok(Value::Object(object))
}

fn not_a_bool(value: &Value) -> String {
    let lower = match value {
        Value::String(text) => text.to_lowercase(),
        _ => String::new(),
    };
    match lower.as_str() {
        "true" | "false" => {
            format!("a bool is required; to convert from string, use lowercase {lower:?}")
        }
        _ => "a bool is required".to_owned(),
    }
}
