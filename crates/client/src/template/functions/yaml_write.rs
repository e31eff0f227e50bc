//! YAML as Go's `yaml.v2` writes it: lists stand as deep as what they belong to, texts are quoted where they must be.
use std::cmp::Ordering;

use super::super::go::{Buffer, Map, Value, shortest};
use super::yaml::scalar;

pub(super) fn write(value: &Value) -> Result<Value, String> {
    let mut to = Buffer::default();
    node(value, 0, Place::Top, &mut to);
    let bytes = to.finish()?;
    Ok(Value::text(String::from_utf8_lossy(&bytes).trim()))
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    /// Behind a key.
    Entry,
    /// Behind a dash.
    Item,
}

fn node(value: &Value, depth: usize, place: Place, to: &mut Buffer) {
    match value {
        Value::List(list) if !list.items.is_empty() => {
            // A list below a key stands at the key's own depth.
            let depth = if place == Place::Entry {
                depth - 1
            } else {
                depth
            };
            if place == Place::Entry {
                to.push("\n");
            }
            for (index, item) in list.items.iter().enumerate() {
                if to.is_over() {
                    return;
                }
                if place != Place::Item || index > 0 {
                    to.push("  ".repeat(depth));
                }
                to.push("- ");
                node(item, depth + 1, Place::Item, to);
            }
        }
        Value::Map(map) if !map.entries.is_empty() => {
            if place == Place::Entry {
                to.push("\n");
            }
            for (index, (name, item)) in sorted(map).into_iter().enumerate() {
                if to.is_over() {
                    return;
                }
                if place != Place::Item || index > 0 {
                    to.push("  ".repeat(depth));
                }
                to.push(text(name, depth));
                to.push(":");
                if !matches!(item, Value::List(list) if !list.items.is_empty())
                    && !matches!(item, Value::Map(map) if !map.entries.is_empty())
                {
                    to.push(" ");
                }
                node(item, depth + 1, Place::Entry, to);
            }
        }
        value => {
            to.push(plain(value, depth));
            to.push("\n");
        }
    }
}

/// Entries in the order of people: numbers in names count as numbers, and letters come last.
fn sorted(map: &Map) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = map.entries.iter().collect();
    entries.sort_by(|(one, _), (other, _)| natural(one, other));
    entries
}

fn natural(one: &str, other: &str) -> Ordering {
    let differ = one.chars().zip(other.chars()).position(|(a, b)| a != b);
    let Some(at) = differ else {
        return one.len().cmp(&other.len());
    };
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let (a, b, before) = (one[at], other[at], &one[..at]);
    match (a.is_alphabetic(), b.is_alphabetic()) {
        (true, true) => a.cmp(&b),
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let (one, other) = (digits(&one[at..]), digits(&other[at..]));
            // Zeros count only inside a number.
            let inside = |c: &char| matches!(c, '1'..='9');
            let significant = |digits: &str| match before.last().is_some_and(inside) {
                true => digits.to_owned(),
                false => digits.trim_start_matches('0').to_owned(),
            };
            let (a_number, b_number) = (significant(&one), significant(&other));
            (a_number.len().cmp(&b_number.len()))
                .then(a_number.cmp(&b_number))
                .then(one.len().cmp(&other.len()))
                .then(a.cmp(&b))
        }
    }
}

fn digits(text: &[char]) -> String {
    text.iter().take_while(|c| c.is_ascii_digit()).collect()
}

fn plain(value: &Value, depth: usize) -> String {
    match value {
        Value::Missing | Value::Nil => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Float(value) if value.is_nan() => ".nan".to_owned(),
        Value::Float(value) if value.is_infinite() => {
            if *value > 0.0 { ".inf" } else { "-.inf" }.to_owned()
        }
        Value::Float(value) => shortest(*value, 6),
        Value::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(value) => text(value, depth),
            Err(_) => binary(bytes),
        },
        Value::List(_) => "[]".to_owned(),
        Value::Map(_) | Value::Scratch => "{}".to_owned(),
    }
}

fn binary(bytes: &[u8]) -> String {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    format!("!!binary {encoded}")
}

/// A text: plain if it reads as itself, a block if it has lines, else in quotes.
fn text(value: &str, depth: usize) -> String {
    let reads_as_more = !matches!(scalar(value), Value::Text(_)) || value == "<<";
    if value.contains('\n') && !reads_as_more && is_block(value) {
        return block(value, depth);
    }
    if reads_as_more || is_special(value) || looks_like_time(value) || is_base_60(value) {
        return quoted(value);
    }
    if is_plain(value) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', "''"))
}

fn is_block(value: &str) -> bool {
    !is_special(&value.replace('\n', "")) && !value.starts_with([' ', '\n', '\t'])
}

fn is_special(value: &str) -> bool {
    value.chars().any(|c| c.is_control() || c == '\u{feff}')
}

/// A date alone is one to `yaml.v2`.
fn looks_like_time(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.len() >= 8
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_digit() || b"-:.TtZz +".contains(byte))
}

/// `12:30` is a number to YAML 1.1.
fn is_base_60(value: &str) -> bool {
    let unsigned = value.strip_prefix(['-', '+']).unwrap_or(value);
    let mut parts = unsigned.split(':');
    let digits = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
    };
    let first = parts
        .next()
        .is_some_and(|part| part.starts_with(|c: char| c.is_ascii_digit()) && digits(part));
    let rest: Vec<&str> = parts.collect();
    let two = |part: &&str| matches!(part.len(), 1 | 2) && digits(part);
    first && !rest.is_empty() && rest.iter().all(two)
}

fn is_plain(value: &str) -> bool {
    let first = value.chars().next().unwrap_or(' ');
    let dash_word = matches!(first, '-' | '?' | ':')
        && value
            .chars()
            .nth(1)
            .is_some_and(|next| !next.is_whitespace());
    let indicator = "-?:,[]{}#&*!|>'\"%@`".contains(first) && !dash_word;
    let document = value.starts_with("---") || value.starts_with("...");
    !indicator
        && !document
        && !value.starts_with(' ')
        && !value.ends_with(' ')
        && !value.ends_with(':')
        && !value.contains(": ")
        && !value.contains(" #")
}

fn block(value: &str, depth: usize) -> String {
    let chomping = match (value.ends_with('\n'), value.ends_with("\n\n")) {
        (false, _) => "-",
        (true, true) => "+",
        (true, false) => "",
    };
    let indent = "  ".repeat(depth.max(1));
    let mut block = format!("|{chomping}");
    for line in value.strip_suffix('\n').unwrap_or(value).split('\n') {
        block.push('\n');
        if !line.is_empty() {
            block += &indent;
            block += line;
        }
    }
    block
}

fn quoted(value: &str) -> String {
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => quoted += "\\\"",
            '\\' => quoted += "\\\\",
            '\n' => quoted += "\\n",
            '\r' => quoted += "\\r",
            '\t' => quoted += "\\t",
            '\0' => quoted += "\\0",
            '\u{7}' => quoted += "\\a",
            '\u{8}' => quoted += "\\b",
            '\u{b}' => quoted += "\\v",
            '\u{c}' => quoted += "\\f",
            '\u{1b}' => quoted += "\\e",
            '\u{feff}' => quoted += "\\uFEFF",
            _ if c.is_control() => quoted += &format!("\\x{:02X}", u32::from(c)),
            _ => quoted.push(c),
        }
    }
    quoted + "\""
}
