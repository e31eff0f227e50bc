//! Functions of texts.
use std::collections::BTreeSet;

use super::super::go::{Buffer, MAX_ITEMS, Parameter, Value, parse_float};
use super::{Entry, bytes, entry, regex, word};

use Parameter::{Any, Int, Text};

const ONE: &[Parameter] = &[Text];
const TWO: &[Parameter] = &[Text, Text];
const THREE: &[Parameter] = &[Text, Text, Text];

pub(super) const TABLE: &[Entry] = &[
    entry("indent", &[Int, Text], None, |_, args| indent(args)),
    entry("join", &[Text, Any], None, |_, args| join(args)),
    entry("split", TWO, None, |_, args| split(args)),
    entry("trim", TWO, None, |_, args| {
        let set: BTreeSet<char> = word(args, 0).chars().collect();
        let text = word(args, 1);
        Ok(Value::text(text.trim_matches(|c| set.contains(&c))))
    }),
    entry("trimPrefix", TWO, None, |_, args| {
        let (prefix, text) = (bytes(args, 0), bytes(args, 1));
        Ok(Value::text(text.strip_prefix(prefix).unwrap_or(text)))
    }),
    entry("trimSuffix", TWO, None, |_, args| {
        let (suffix, text) = (bytes(args, 0), bytes(args, 1));
        Ok(Value::text(text.strip_suffix(suffix).unwrap_or(text)))
    }),
    entry("trimSpace", ONE, None, |_, args| {
        Ok(Value::text(word(args, 0).trim()))
    }),
    entry("replaceAll", THREE, None, |_, args| replace_all(args)),
    entry("regexMatch", TWO, None, |rendering, args| {
        let regex = rendering.expression(&word(args, 0))?;
        Ok(Value::Bool(regex.is_match(bytes(args, 1))))
    }),
    entry("regexReplaceAll", THREE, None, |rendering, args| {
        let regex = rendering.expression(&word(args, 0))?;
        regex::replace_all(regex, bytes(args, 1), bytes(args, 2)).map(Value::text)
    }),
    entry("toLower", ONE, None, |_, args| {
        Ok(cased(&word(args, 0), |c| single(c.to_lowercase(), c)))
    }),
    entry("toUpper", ONE, None, |_, args| {
        Ok(cased(&word(args, 0), |c| single(c.to_uppercase(), c)))
    }),
    entry("toTitle", ONE, None, |_, args| Ok(title(&word(args, 0)))),
    entry("parseBool", ONE, None, |_, args| {
        parse_bool(&word(args, 0)).map(Value::Bool)
    }),
    entry("parseFloat", ONE, None, |_, args| match &*word(args, 0) {
        "" => Ok(Value::Float(0.0)),
        text => parse_float(text)
            .map(Value::Float)
            .ok_or_else(|| invalid("parseFloat", text)),
    }),
    entry("parseInt", ONE, None, |_, args| {
        parse_int(&word(args, 0)).map(Value::Int)
    }),
    entry("parseUint", ONE, None, |_, args| match &*word(args, 0) {
        "" => Ok(Value::Uint(0)),
        text if text.starts_with('+') => Err(invalid("parseUint", text)),
        text => text
            .parse()
            .map(Value::Uint)
            .map_err(|_| invalid("parseUint", text)),
    }),
];

fn invalid(function: &str, text: &str) -> String {
    format!("{function}: parsing {text:?}: invalid syntax")
}

/// Decimal digits, as many as 64 bits hold.
pub(super) fn parse_int(text: &str) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| invalid("parseInt", text))
}

fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(invalid("parseBool", text)),
    }
}

fn indent(args: &[Value]) -> Result<Value, String> {
    let Some(Value::Int(spaces)) = args.first() else {
        return Err("the number of spaces is missing".to_owned());
    };
    let spaces = usize::try_from(*spaces)
        .map_err(|_| "indent value must be a positive integer".to_owned())?;
    let mut to = Buffer::default();
    let prefix = " ".repeat(spaces.min(super::super::go::MAX_OUTPUT + 1));
    for line in bytes(args, 1).split_inclusive(|byte| *byte == b'\n') {
        if line != b"\n" {
            to.push(&prefix);
        }
        to.push(line);
    }
    to.finish().map(Value::text)
}

fn join(args: &[Value]) -> Result<Value, String> {
    let items = match args.get(1) {
        Some(Value::List(list)) => list.items.as_slice(),
        Some(Value::Nil | Value::Missing) => &[],
        _ => return Err("wrong type for value; expected []string".to_owned()),
    };
    let mut to = Buffer::default();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            to.push(bytes(args, 0));
        }
        match item {
            Value::Text(text) => to.push(text),
            other => {
                return Err(format!(
                    "wrong type in the list; expected string; got {}",
                    other.type_name()
                ));
            }
        }
    }
    to.finish().map(Value::text)
}

/// Splits what is left without the space around it; an empty separator splits every character off.
pub(super) fn parts<'a>(separator: &str, text: &'a str) -> Result<Vec<&'a str>, String> {
    let text = text.trim();
    let most = MAX_ITEMS + 1;
    let parts: Vec<&str> = match (separator, text) {
        (_, "") => Vec::new(),
        ("", text) => text
            .char_indices()
            .map(|(at, c)| &text[at..at + c.len_utf8()])
            .take(most)
            .collect(),
        (separator, text) => text.split(separator).take(most).collect(),
    };
    if parts.len() == most {
        return Err(format!("more than {MAX_ITEMS} parts"));
    }
    Ok(parts)
}

fn split(args: &[Value]) -> Result<Value, String> {
    let text = word(args, 1);
    let parts = parts(&word(args, 0), &text)?;
    Value::list(parts.into_iter().map(Value::text).collect())
}

fn replace_all(args: &[Value]) -> Result<Value, String> {
    let (from, to, text) = (word(args, 0), bytes(args, 1), word(args, 2));
    let mut result = Buffer::default();
    let mut end = 0;
    for (at, found) in text.match_indices(&*from) {
        result.push(&text[end..at]);
        result.push(to);
        end = at + found.len();
    }
    result.push(&text[end..]);
    result.finish().map(Value::text)
}

/// Go maps one character to one character.
fn single(mut mapped: impl Iterator<Item = char>, c: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn cased(text: &str, map: impl Fn(char) -> char) -> Value {
    Value::text(text.chars().map(map).collect::<String>())
}

/// The first letter of each word; an apostrophe or a point inside a word does not end it.
fn title(text: &str) -> Value {
    let mut inside = false;
    let mut chars = text.chars().peekable();
    let mut title = String::with_capacity(text.len());
    while let Some(c) = chars.next() {
        let joins = matches!(c, '\'' | '’' | '.' | ':' | '·')
            && inside
            && chars.peek().is_some_and(|next| next.is_alphabetic());
        if c.is_alphanumeric() || c == '_' {
            title.push(if inside {
                c
            } else {
                single(c.to_uppercase(), c)
            });
            inside = inside || c.is_alphabetic();
        } else {
            title.push(c);
            inside = joins;
        }
    }
    Value::text(title)
}
