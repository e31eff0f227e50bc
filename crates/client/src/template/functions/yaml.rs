//! YAML 1.1 as Go's `yaml.v2` reads it: `yes` is true and `010` is eight.
use std::collections::BTreeMap;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::super::go::{MAX_ITEMS, Value};

/// Reads the first document.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| format!("yaml: {error}"))?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        builder.take(event)?;
    }
    Ok(builder.done.unwrap_or(Value::Nil))
}

/// What is built from events, without recursion: a document may be nested as it likes, up to what a value may be.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Value>,
    done: Option<Value>,
    nodes: usize,
}

struct Open {
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Value>),
    Map {
        entries: BTreeMap<String, Value>,
        key: Option<Key>,
        /// What `<<` brought; the map's own entries win.
        merged: Vec<Value>,
    },
}

enum Key {
    Name(String),
    Merge,
}

/// The anchor of what has none.
const NO_ANCHOR: usize = 0;

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = matches!(style, ScalarStyle::Plain);
                let merge = plain && text == "<<";
                let suffix = tag.as_ref().map(|tag| tag.suffix.as_str());
                let value = match (suffix, plain) {
                    (Some("str"), _) => Value::text(&*text),
                    (_, true) => scalar(&text),
                    _ => Value::text(&*text),
                };
                self.add(value, anchor, merge)
            }
            Event::SequenceStart(anchor, _) => self.enter(anchor, Items::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.enter(
                anchor,
                Items::Map {
                    entries: BTreeMap::new(),
                    key: None,
                    merged: Vec::new(),
                },
            ),
            Event::SequenceEnd | Event::MappingEnd => self.leave(),
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned();
                let value = value.ok_or("yaml: unknown anchor referenced")?;
                self.add(value, NO_ANCHOR, false)
            }
            _ => Ok(()),
        }
    }

    fn enter(&mut self, anchor: usize, items: Items) -> Result<(), String> {
        if self.open.len() >= MAX_OPEN {
            return Err(format!("yaml: nested more than {MAX_OPEN} deep"));
        }
        self.open.push(Open { anchor, items });
        Ok(())
    }

    fn leave(&mut self) -> Result<(), String> {
        let Some(Open { anchor, items }) = self.open.pop() else {
            return Ok(());
        };
        let value = match items {
            Items::List(items) => Value::list(items)?,
            Items::Map {
                mut entries,
                merged,
                ..
            } => {
                for from in &merged {
                    self.count(entries_of(from))?;
                    merge(from, &mut entries);
                }
                Value::map(entries)?
            }
        };
        self.add(value, anchor, false)
    }

    fn count(&mut self, more: usize) -> Result<(), String> {
        self.nodes += more;
        if self.nodes > MAX_ITEMS {
            return Err(format!("yaml: more than {MAX_ITEMS} values"));
        }
        Ok(())
    }

    fn add(&mut self, value: Value, anchor: usize, is_merge: bool) -> Result<(), String> {
        self.count(1)?;
        if anchor != NO_ANCHOR {
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.done = Some(value),
            Some(Items::List(items)) => items.push(value),
            Some(Items::Map {
                entries,
                key,
                merged,
            }) => match key.take() {
                None if is_merge => *key = Some(Key::Merge),
                None => *key = Some(Key::Name(name(&value)?)),
                Some(Key::Merge) => merged.push(value),
                Some(Key::Name(name)) => {
                    entries.insert(name, value);
                }
            },
        }
        Ok(())
    }
}

const MAX_OPEN: usize = 100;

/// How many a merge copies.
fn entries_of(from: &Value) -> usize {
    match from {
        Value::Map(map) => map.entries.len(),
        Value::List(list) => {
            let maps = list.items.iter();
            maps.map(|item| match item {
                Value::Map(map) => map.entries.len(),
                _ => 1,
            })
            .sum()
        }
        _ => 0,
    }
}

fn merge(from: &Value, to: &mut BTreeMap<String, Value>) {
    match from {
        Value::Map(map) => {
            for (name, value) in &map.entries {
                to.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        Value::List(list) => {
            for item in &list.items {
                if let Value::Map(_) = item {
                    merge(item, to);
                }
            }
        }
        _ => {}
    }
}

/// Keys that are no texts get the one that stands for them.
fn name(key: &Value) -> Result<String, String> {
    match key {
        Value::Text(text) => Ok(String::from_utf8_lossy(text).into_owned()),
        Value::Nil | Value::Missing => Ok("null".to_owned()),
        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) => {
            let mut to = super::super::go::Buffer::default();
            super::super::go::print(key, &mut to);
            let bytes = to.finish()?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => Err("yaml: a list or a map cannot be a key".to_owned()),
    }
}

/// What a plain scalar stands for.
pub(super) fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Nil,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Value::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    number(text).unwrap_or_else(|| Value::text(text))
}

fn number(text: &str) -> Option<Value> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.strip_prefix(['-', '+']) {
        Some(digits) => (&plain[..1], digits),
        None => ("", plain.as_str()),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] if digits.bytes().all(|byte| byte.is_ascii_digit()) => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)) {
        if let Ok(number) = i64::from_str_radix(&format!("{sign}{digits}"), radix) {
            return Some(Value::Int(number));
        }
        if let (true, Ok(number)) = (sign != "-", u64::from_str_radix(digits, radix)) {
            return Some(Value::Uint(number));
        }
    }
    let float = |c: char| matches!(c, '0'..='9' | '.' | 'e' | 'E' | '+' | '-');
    if plain.chars().all(float) && plain.contains(|c: char| c.is_ascii_digit()) {
        return plain.parse().ok().map(Value::Float);
    }
    None
}
