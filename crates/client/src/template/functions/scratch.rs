//! The notebook of a rendering.
use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::go::Value;

/// Calls one of its methods.
pub(super) fn call(
    notes: &mut BTreeMap<String, Value>,
    method: &str,
    args: &[Value],
) -> Result<Value, String> {
    let mut names = Vec::new();
    for value in args {
        match value {
            Value::Text(name) => names.push(String::from_utf8_lossy(name).into_owned()),
            _ => break,
        }
    }
    let value = args.last().cloned().unwrap_or(Value::Nil);
    match (method, names.as_slice(), args.len()) {
        ("Key", [name], 1) => Ok(Value::Bool(notes.contains_key(name))),
        ("Get", [name], 1) => Ok(notes.get(name).cloned().unwrap_or(Value::Nil)),
        ("Set", [name, ..], 2) => {
            notes.insert(name.clone(), value);
            Ok(Value::text(""))
        }
        ("SetX", [name, ..], 2) => {
            notes.entry(name.clone()).or_insert(value);
            Ok(Value::text(""))
        }
        ("MapSet", [name, key, ..], 3) => map_set(notes, name, key, value, true),
        ("MapSetX", [name, key, ..], 3) => map_set(notes, name, key, value, false),
        ("MapValues", [name], 1) => map_values(notes.get(name)),
        ("Key" | "Get" | "Set" | "SetX" | "MapSet" | "MapSetX" | "MapValues", ..) => {
            Err("wrong arguments".to_owned())
        }
        _ => Err(format!("the scratch has no method {method}")),
    }
}

fn map_set(
    notes: &mut BTreeMap<String, Value>,
    name: &str,
    key: &str,
    value: Value,
    overrides: bool,
) -> Result<Value, String> {
    let mut entries = match notes.remove(name) {
        None => BTreeMap::new(),
        // Nobody else holds it in the usual case, and then nothing is copied.
        Some(Value::Map(map)) => match Rc::try_unwrap(map) {
            Ok(map) => map.entries,
            Err(shared) => shared.entries.clone(),
        },
        Some(other) => {
            notes.insert(name.to_owned(), other);
            return Err(format!("{name:?} is not a map"));
        }
    };
    if overrides || !entries.contains_key(key) {
        entries.insert(key.to_owned(), value);
    }
    notes.insert(name.to_owned(), Value::map(entries)?);
    Ok(Value::text(""))
}

fn map_values(map: Option<&Value>) -> Result<Value, String> {
    match map {
        Some(Value::Map(map)) => Value::list(map.entries.values().cloned().collect()),
        _ => Ok(Value::Nil),
    }
}
