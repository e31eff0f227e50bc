//! The notebook of a rendering.
use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::go::{Budget, Map, Value};

/// Calls one of its methods.
pub(super) fn call(
    notes: &mut BTreeMap<String, Value>,
    budget: &mut Budget,
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
        ("MapSet", [name, key, ..], 3) => map_set(notes, budget, [name, key], value),
        ("MapSetX", [name, key, ..], 3) => match notes.get(name) {
            Some(Value::Map(map)) if map.entries.contains_key(key) => Ok(Value::text("")),
            _ => map_set(notes, budget, [name, key], value),
        },
        ("MapValues", [name], 1) => map_values(notes.get(name), budget),
        ("Key" | "Get" | "Set" | "SetX" | "MapSet" | "MapSetX" | "MapValues", ..) => {
            Err("wrong arguments".to_owned())
        }
        _ => Err(format!("the scratch has no method {method}")),
    }
}

fn map_set(
    notes: &mut BTreeMap<String, Value>,
    budget: &mut Budget,
    [name, key]: [&str; 2],
    value: Value,
) -> Result<Value, String> {
    let map = match notes.remove(name) {
        None => Map::default(),
        // Nobody else holds it in the usual case, and then nothing is copied.
        Some(Value::Map(map)) => match Rc::try_unwrap(map) {
            Ok(map) => map,
            Err(shared) => {
                budget.spend(shared.entries.len() * ENTRY)?;
                Map::clone(&shared)
            }
        },
        Some(other) => {
            notes.insert(name.to_owned(), other);
            return Err(format!("{name:?} is not a map"));
        }
    };
    let map = Value::Map(Rc::new(map.with(key, value)?));
    notes.insert(name.to_owned(), map);
    Ok(Value::text(""))
}

/// What it costs to copy an entry with its name, or a value of one: the copies are made one by one.
const ENTRY: usize = 512;

fn map_values(map: Option<&Value>, budget: &mut Budget) -> Result<Value, String> {
    match map {
        Some(Value::Map(map)) => {
            budget.spend(map.entries.len() * ENTRY)?;
            Value::list(map.entries.values().cloned().collect())
        }
        _ => Ok(Value::Nil),
    }
}
