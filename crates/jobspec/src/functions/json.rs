//! JSON.

use super::{Function, fixed, nullable, string};
use crate::call::{Failure, failed, text};
use crate::convert;
use crate::cty::{Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("jsondecode", &[string("str")], |of, _| {
        of_text(text(&of[0])).or_else(failed::<Value>)
    }),
    fixed("jsonencode", &[nullable("val")], |of, _| {
        Ok(Value::String(encoded(&of[0])))
    }),
];

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Failure::Call(why)
    }
}

/// A document as a value.
pub(crate) fn of_text(text: &str) -> Result<Value, String> {
    let document: serde_json::Value =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    value(document)
}

fn value(json: serde_json::Value) -> Result<Value, String> {
    Ok(match json {
        serde_json::Value::Null => Value::Null(Type::Any),
        serde_json::Value::Bool(bool) => Value::Bool(bool),
        serde_json::Value::Number(number) => Value::Number(exact(&number)?),
        serde_json::Value::String(text) => Value::String(text),
        serde_json::Value::Array(items) => {
            Value::Tuple(items.into_iter().map(value).collect::<Result<_, _>>()?)
        }
        serde_json::Value::Object(items) => {
            let items = items
                .into_iter()
                .map(|(name, item)| Ok((name, value(item)?)));
            Value::Object(items.collect::<Result<_, String>>()?)
        }
    })
}

/// Digits that would be rounded away are refused, as in the job file itself.
fn exact(number: &serde_json::Number) -> Result<f64, String> {
    let is_whole = number.is_i64() || number.is_u64();
    match number.as_f64() {
        Some(float) if float.is_finite() && float.abs() < convert::EXACT => Ok(float + 0.0),
        _ if is_whole => Err(format!(
            "the number {number} has more digits than can be kept"
        )),
        _ => Err(format!("the number {number} is too large")),
    }
}

/// A value as one line of JSON; set and list are arrays, map and object are objects.
pub(super) fn encoded(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null(_) => *out += "null",
        Value::String(text) => quote(text, out),
        Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => {
            enclosed(['[', ']'], items.iter(), write, out);
        }
        Value::Map(_, items) | Value::Object(items) => {
            let entry = |(name, item): (&String, &Value), out: &mut String| {
                quote(name, out);
                out.push(':');
                write(item, out);
            };
            enclosed(['{', '}'], items.iter(), entry, out);
        }
        simple => *out += &convert::to_string(simple).unwrap_or_default(),
    }
}

fn enclosed<T>(
    [open, close]: [char; 2],
    items: impl Iterator<Item = T>,
    write: impl Fn(T, &mut String),
    out: &mut String,
) {
    out.push(open);
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(close);
}

/// Angle brackets, ampersands and the two separators of lines are escaped, so that the text is safe in HTML and JavaScript.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => *out += "\\\"",
            '\\' => *out += "\\\\",
            '\n' => *out += "\\n",
            '\r' => *out += "\\r",
            '\t' => *out += "\\t",
            '\u{8}' => *out += "\\b",
            '\u{c}' => *out += "\\f",
            c if c < ' ' || matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') => {
                *out += &format!("\\u{:04x}", c as u32)
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
