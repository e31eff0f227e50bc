//! JSON.

use super::{Function, document, fixed, nullable, string};
use crate::call::{Failure, failed, text};
use crate::convert;
use crate::cty::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("jsondecode", &[string("str")], |of, _| {
        document::value(text(&of[0])).or_else(failed::<Value>)
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
