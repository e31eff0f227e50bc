//! Checked values as Rust types. What a table does not hold is the type's empty value.
use std::collections::BTreeMap;

use super::{Value, Values};

/// Reads options by name from values that [`super::decode()`] has checked.
pub(crate) trait Read {
    fn text(&self, name: &str) -> String;
    fn flag(&self, name: &str) -> bool;
    fn integer(&self, name: &str) -> i64;
    fn strings(&self, name: &str) -> Vec<String>;
    fn string_map(&self, name: &str) -> Option<BTreeMap<String, String>>;
}

fn string(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        _ => String::new(),
    }
}

impl Read for Values {
    fn text(&self, name: &str) -> String {
        self.get(name).map(string).unwrap_or_default()
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name) == Some(&Value::Bool(true))
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "decode lets only whole numbers below 2^53 pass"
    )]
    fn integer(&self, name: &str) -> i64 {
        match self.get(name) {
            Some(Value::Number(number)) => *number as i64,
            _ => 0,
        }
    }

    fn strings(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::List(list)) => list.iter().map(string).collect(),
            _ => Vec::new(),
        }
    }

    fn string_map(&self, name: &str) -> Option<BTreeMap<String, String>> {
        match self.get(name) {
            Some(Value::Map(map)) => Some(
                map.iter()
                    .map(|(key, value)| (key.clone(), string(value)))
                    .collect(),
            ),
            _ => None,
        }
    }
}
