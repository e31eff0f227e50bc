//! JSON as Go reads and writes it.
use std::collections::BTreeMap;

use super::super::go::{Buffer, Value, shortest};

/// Reads a document; every number is a float.
pub(super) fn parse(text: &[u8]) -> Result<Value, String> {
    let document = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    value(document)
}

fn value(document: serde_json::Value) -> Result<Value, String> {
    Ok(match document {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => {
            let out_of_range = || format!("cannot read the number {number}");
            Value::Float(number.as_f64().ok_or_else(out_of_range)?)
        }
        serde_json::Value::String(text) => Value::text(text),
        serde_json::Value::Array(items) => {
            let items: Result<_, _> = items.into_iter().map(value).collect();
            Value::list(items?)?
        }
        serde_json::Value::Object(entries) => {
            let entries = entries.into_iter();
            let entries: Result<BTreeMap<_, _>, String> = entries
                .map(|(name, inner)| value(inner).map(|inner| (name, inner)))
                .collect();
            Value::map(entries?)?
        }
    })
}

/// How a document is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// Whether what HTML would read is escaped.
    pub(super) html: bool,
    pub(super) pretty: bool,
}

/// Writes the first argument.
pub(super) fn write(args: &[Value], form: Form) -> Result<Value, String> {
    let mut to = Buffer::default();
    if let Some(value) = args.first() {
        form.value(value, 0, &mut to)?;
    }
    to.finish().map(Value::text)
}

impl Form {
    fn value(self, value: &Value, depth: usize, to: &mut Buffer) -> Result<(), String> {
        match value {
            Value::Missing | Value::Nil => to.push("null"),
            Value::Bool(value) => to.push(value.to_string()),
            Value::Int(value) => to.push(value.to_string()),
            Value::Uint(value) => to.push(value.to_string()),
            Value::Float(value) if value.is_finite() => to.push(float(*value)),
            Value::Float(_) | Value::Scratch => {
                return Err(format!(
                    "json: unsupported value of type {}",
                    value.type_name()
                ));
            }
            Value::Text(text) => self.text(text, to),
            Value::List(list) => {
                let items = list.items.iter().map(|item| (None, item));
                self.group(b"[]", items, depth, to)?;
            }
            Value::Map(map) => {
                let entries = map.entries.iter();
                let entries = entries.map(|(name, item)| (Some(name.as_str()), item));
                self.group(b"{}", entries, depth, to)?;
            }
        }
        Ok(())
    }

    fn group<'a>(
        self,
        brackets: &[u8; 2],
        items: impl Iterator<Item = (Option<&'a str>, &'a Value)>,
        depth: usize,
        to: &mut Buffer,
    ) -> Result<(), String> {
        to.push(&brackets[..1]);
        let mut empty = true;
        for (name, item) in items {
            if to.is_over() {
                break;
            }
            if !empty {
                to.push(",");
            }
            empty = false;
            self.line(depth + 1, to);
            if let Some(name) = name {
                self.text(name.as_bytes(), to);
                to.push(if self.pretty { ": " } else { ":" });
            }
            self.value(item, depth + 1, to)?;
        }
        if !empty {
            self.line(depth, to);
        }
        to.push(&brackets[1..]);
        Ok(())
    }

    fn line(self, depth: usize, to: &mut Buffer) {
        if self.pretty {
            to.push("\n");
            to.push("  ".repeat(depth));
        }
    }

    fn text(self, text: &[u8], to: &mut Buffer) {
        to.push("\"");
        for c in String::from_utf8_lossy(text).chars() {
            match c {
                '"' => to.push("\\\""),
                '\\' => to.push("\\\\"),
                '\n' => to.push("\\n"),
                '\r' => to.push("\\r"),
                '\t' => to.push("\\t"),
                '\u{8}' => to.push("\\b"),
                '\u{c}' => to.push("\\f"),
                '<' | '>' | '&' if self.html => to.push(escaped(c)),
                '\u{2028}' | '\u{2029}' => to.push(escaped(c)),
                _ if u32::from(c) < 0x20 => to.push(escaped(c)),
                _ => to.push(c.encode_utf8(&mut [0; 4])),
            }
        }
        to.push("\"");
    }
}

fn escaped(c: char) -> String {
    format!("\\u{:04x}", u32::from(c))
}

/// As JavaScript writes floats: an exponent below 1e-6 and from 1e21 on, and no zero before its digit.
fn float(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return value.to_string();
    }
    // Every size left here is written with an exponent.
    let written = format!("{value:e}");
    match written.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        Some(_) => written,
        None => shortest(value, 21),
    }
}
