//! Checks what was configured against a table: names, presence, types with hcldec's conversions, defaults.
use std::collections::BTreeMap;

use super::{Kind, Mismatch, Opt, Value, Values, suggest};

/// The values that hold: known names only, each of its option's type, absent ones with their defaults. What is absent without a
/// default is left out; an explicit `null` is absent.
///
/// # Errors
/// Every mismatch there is, in the order of names.
pub fn decode(table: &[Opt], given: &Values) -> Result<Values, Vec<Mismatch>> {
    let mut mismatches: Vec<Mismatch> = given
        .keys()
        .filter_map(|name| unknown(table, name))
        .collect();
    let mut checked = Values::new();
    for option in table {
        match value(option, given.get(option.name)) {
            Ok(Some(value)) => drop(checked.insert(option.name.to_owned(), value)),
            Ok(None) => {}
            Err(reason) => mismatches.push(Mismatch {
                option: option.name.to_owned(),
                reason,
            }),
        }
    }
    if mismatches.is_empty() {
        Ok(checked)
    } else {
        Err(mismatches)
    }
}

fn unknown(table: &[Opt], name: &str) -> Option<Mismatch> {
    if table.iter().any(|option| option.name == name) {
        return None;
    }
    let mut reason = format!("An argument named {name:?} is not expected here.");
    if let Some(near) = suggest::nearest(name, table.iter().map(|option| option.name)) {
        reason.push_str(&format!(" Did you mean {near:?}?"));
    }
    Some(Mismatch {
        option: name.to_owned(),
        reason,
    })
}

fn value(option: &Opt, given: Option<&Value>) -> Result<Option<Value>, String> {
    match given {
        Some(value) if *value != Value::Null => convert(option.kind, value).map(Some),
        _ if option.required => Err(format!(
            "Missing required argument; The argument {:?} is required, but no definition was found.",
            option.name
        )),
        _ => Ok(option.default.map(literal)),
    }
}

/// A default's HCL expression. The tables hold only literals that are JSON too.
fn literal(expression: &str) -> Value {
    fn from(json: serde_json::Value) -> Value {
        match json {
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(number) => number.as_f64().map_or(Value::Null, Value::Number),
            serde_json::Value::String(text) => Value::String(text),
            serde_json::Value::Array(list) => Value::List(list.into_iter().map(from).collect()),
            serde_json::Value::Null | serde_json::Value::Object(_) => Value::Null,
        }
    }
    serde_json::from_str(expression).map_or(Value::Null, from)
}

fn convert(kind: Kind, value: &Value) -> Result<Value, String> {
    match kind {
        Kind::String => text(value).map(Value::String),
        Kind::Bool => boolean(value),
        Kind::Integer => integer(value),
        Kind::Strings => strings(value),
        Kind::StringMap => map(value),
    }
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        // Rust and cty write numbers alike where an f64 is exact: no exponent, no `.0`.
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        // Go decodes a null element as the empty string.
        Value::Null => Ok(String::new()),
        Value::List(_) | Value::Map(_) => {
            Err(format!("string required, but have {}.", value.type_name()))
        }
    }
}

fn boolean(value: &Value) -> Result<Value, String> {
    match value {
        Value::Bool(value) => Ok(Value::Bool(*value)),
        Value::String(text) => match text.as_str() {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            _ => Err("a bool is required.".to_owned()),
        },
        other => Err(format!("bool required, but have {}.", other.type_name())),
    }
}

fn integer(value: &Value) -> Result<Value, String> {
    /// Every integer up to here is exact in an f64.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = match value {
        Value::Number(number) => *number,
        Value::String(text) => text
            .trim()
            .parse()
            .map_err(|_| "a number is required.".to_owned())?,
        other => return Err(format!("number required, but have {}.", other.type_name())),
    };
    if number.fract() == 0.0 && number.abs() <= EXACT {
        return Ok(Value::Number(number));
    }
    Err(format!("a whole number is required, but have {number}."))
}

fn strings(value: &Value) -> Result<Value, String> {
    let Value::List(list) = value else {
        return Err(format!(
            "list of string required, but have {}.",
            value.type_name()
        ));
    };
    let convert = |(index, element): (usize, &Value)| {
        text(element)
            .map(Value::String)
            .map_err(|reason| format!("element {index}: {reason}"))
    };
    list.iter()
        .enumerate()
        .map(convert)
        .collect::<Result<_, _>>()
        .map(Value::List)
}

/// Takes `x = { k = "v" }` and what block syntax becomes, `[{ k = "v" }]`.
fn map(value: &Value) -> Result<Value, String> {
    let map = match value {
        Value::Map(map) => map,
        Value::List(list) => match list.as_slice() {
            [Value::Map(map)] => map,
            _ => return Err("map of string required.".to_owned()),
        },
        other => {
            return Err(format!(
                "map of string required, but have {}.",
                other.type_name()
            ));
        }
    };
    let convert = |(key, element): (&String, &Value)| match text(element) {
        Ok(text) => Ok((key.clone(), Value::String(text))),
        Err(reason) => Err(format!("element {key:?}: {reason}")),
    };
    map.iter()
        .map(convert)
        .collect::<Result<BTreeMap<_, _>, _>>()
        .map(Value::Map)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn one(kind: Kind, value: Value) -> Result<Value, String> {
        let table = [Opt {
            name: "a",
            kind,
            required: false,
            default: None,
        }];
        match decode(&table, &Values::from([("a".to_owned(), value)])) {
            Ok(mut values) => Ok(values.remove("a").unwrap_or(Value::Null)),
            Err(mismatches) => Err(mismatches[0].reason.clone()),
        }
    }

    fn list(values: &[Value]) -> Value {
        Value::List(values.to_vec())
    }

    #[test]
    fn strings_are_made_from_numbers_and_bools() {
        assert_eq!(one(Kind::String, Value::Number(5.0)), Ok("5".into()));
        assert_eq!(one(Kind::String, Value::Number(1.5)), Ok("1.5".into()));
        assert_eq!(
            one(Kind::String, Value::Number(5e9)),
            Ok("5000000000".into())
        );
        assert_eq!(one(Kind::String, Value::Bool(true)), Ok("true".into()));
        assert_eq!(one(Kind::String, "".into()), Ok("".into()));
        assert_eq!(one(Kind::String, Value::Null), Ok(Value::Null));
    }

    #[test]
    fn bools_are_made_from_some_strings_and_from_no_number() {
        assert_eq!(one(Kind::Bool, "true".into()), Ok(Value::Bool(true)));
        assert_eq!(one(Kind::Bool, "1".into()), Ok(Value::Bool(true)));
        assert_eq!(
            one(Kind::Bool, Value::Number(1.0)),
            Err("bool required, but have number.".to_owned())
        );
    }

    #[test]
    fn integers_are_made_from_numeric_strings_and_never_rounded() {
        assert_eq!(one(Kind::Integer, "42".into()), Ok(Value::Number(42.0)));
        assert_eq!(
            one(Kind::Integer, Value::Number(-5.0)),
            Ok(Value::Number(-5.0))
        );
        assert_eq!(
            one(Kind::Integer, "x".into()),
            Err("a number is required.".to_owned())
        );
        assert_eq!(
            one(Kind::Integer, "0.1".into()),
            Err("a whole number is required, but have 0.1.".to_owned())
        );
        assert_eq!(
            one(Kind::Integer, Value::Number(1.5)),
            Err("a whole number is required, but have 1.5.".to_owned())
        );
        assert!(one(Kind::Integer, "18446744073709551615".into()).is_err());
        assert!(one(Kind::Integer, "NaN".into()).is_err());
    }

    #[test]
    fn list_elements_are_converted_and_null_is_empty() {
        let mixed = list(&[
            "x".into(),
            Value::Number(1.0),
            Value::Bool(true),
            Value::Null,
        ]);
        assert_eq!(
            one(Kind::Strings, mixed),
            Ok(list(&["x".into(), "1".into(), "true".into(), "".into()]))
        );
        assert_eq!(
            one(Kind::Strings, "x".into()),
            Err("list of string required, but have string.".to_owned())
        );
        assert!(
            one(Kind::Strings, list(&[list(&[])]))
                .unwrap_err()
                .starts_with("element 0: ")
        );
    }

    #[test]
    fn maps_take_both_spellings() {
        let map = Value::Map(BTreeMap::from([("k".to_owned(), Value::Number(1.0))]));
        let wanted = Value::Map(BTreeMap::from([("k".to_owned(), "1".into())]));
        assert_eq!(one(Kind::StringMap, map.clone()), Ok(wanted.clone()));
        assert_eq!(one(Kind::StringMap, list(&[map])), Ok(wanted));
        assert!(one(Kind::StringMap, list(&[])).is_err());
    }

    #[test]
    fn all_mismatches_are_told_at_once() {
        let table = crate::options::tables::EXEC2_TASK;
        let given = Values::from([
            ("comand".to_owned(), "x".into()),
            ("args".to_owned(), "x".into()),
        ]);
        let told: Vec<String> = decode(table, &given)
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "comand: An argument named \"comand\" is not expected here. Did you mean \"command\"?",
                "command: Missing required argument; The argument \"command\" is required, but no definition was found.",
                "args: list of string required, but have string.",
            ]
        );
    }

    #[test]
    fn every_default_of_every_table_is_of_its_options_type() {
        use crate::options::tables::{EXEC_OPERATOR, EXEC_TASK, EXEC2_OPERATOR, EXEC2_TASK};
        for option in [EXEC_TASK, EXEC_OPERATOR, EXEC2_TASK, EXEC2_OPERATOR].concat() {
            if let Some(default) = option.default {
                assert_eq!(
                    convert(option.kind, &literal(default)),
                    Ok(literal(default)),
                    "{}",
                    option.name
                );
            }
        }
    }

    #[test]
    fn defaults_stand_in_for_what_is_absent_or_null() {
        let given = Values::from([("unveil_defaults".to_owned(), Value::Null)]);
        let checked = decode(crate::options::tables::EXEC2_OPERATOR, &given).unwrap();
        assert_eq!(checked["unveil_defaults"], Value::Bool(true));
        assert_eq!(checked["unveil_by_task"], Value::Bool(false));
        assert!(!checked.contains_key("unveil_paths"));
        assert!(matches!(&checked["allow_caps"], Value::List(list) if list.len() == 13));
    }
}
