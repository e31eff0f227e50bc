//! YAML to values, with the scalars of YAML 1.1 as Nomad reads them: `yes` is true and `2020-01-01` a timestamp.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::encoding::of_base64;
use super::timestamp;
use crate::call::{Call, Failure, failed};
use crate::convert;
use crate::cty::{Type, Value};

/// Deeper documents are nobody's, and each level is one of the stack.
const MAX_DEPTH: usize = 128;

/// Decodes one document.
pub(super) fn decoded(text: &str, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        anchors: BTreeMap::new(),
        depth: 0,
        call,
    };
    loop {
        match reader.next()? {
            Event::StreamEnd => return failed("on line 1, column 1: missing start of document"),
            Event::DocumentStart(_) => break,
            _ => {}
        }
    }
    let event = reader.next()?;
    let value = reader.value(event)?;
    loop {
        match reader.next()? {
            Event::StreamEnd => return Ok(value),
            Event::DocumentStart(_) => return failed("unexpected extra content after value"),
            _ => {}
        }
    }
}

struct Reader<'t, 'c, 'r, 's> {
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
    anchors: BTreeMap<usize, Value>,
    depth: usize,
    call: &'s mut Call<'c, 'r>,
}

impl<'t> Reader<'t, '_, '_, '_> {
    fn next(&mut self) -> Result<Event<'t>, Failure> {
        self.call.spend(1)?;
        match self.events.next() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => {
                let place = error.marker();
                failed(format!(
                    "on line {}, column {}: {}",
                    place.line(),
                    place.col() + 1,
                    error.info()
                ))
            }
            None => Ok(Event::StreamEnd),
        }
    }

    fn value(&mut self, event: Event<'t>) -> Result<Value, Failure> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return failed(format!("the document is nested more than {MAX_DEPTH} deep"));
        }
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (anchor, scalar(&text, style, tag.as_deref())?)
            }
            Event::SequenceStart(anchor, _) => (anchor, self.sequence()?),
            Event::MappingStart(anchor, _) => (anchor, self.mapping()?),
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned();
                let Some(value) = value else {
                    return failed("an alias refers to what it is a part of");
                };
                self.call.spend(value.weight())?;
                (0, value)
            }
            other => return failed(format!("unexpected {other:?}")),
        };
        if anchor > 0 {
            self.call.spend(value.weight())?;
            self.anchors.insert(anchor, value.clone());
        }
        self.depth -= 1;
        Ok(value)
    }

    fn sequence(&mut self) -> Result<Value, Failure> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(Value::Tuple(items)),
                event => items.push(self.value(event)?),
            }
        }
    }

    fn mapping(&mut self) -> Result<Value, Failure> {
        let (mut items, mut merged) = (BTreeMap::new(), BTreeMap::new());
        loop {
            let event = self.next()?;
            let is_merge =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            if matches!(event, Event::MappingEnd) {
                // What is said here wins over what is merged in.
                merged.append(&mut items);
                return Ok(Value::Object(merged));
            }
            let key = self.value(event)?;
            let event = self.next()?;
            let value = self.value(event)?;
            if is_merge {
                self.merge(value, &mut merged)?;
                continue;
            }
            match convert::to_string(&key) {
                Some(key) => items.insert(key, value),
                None => return failed("only strings are allowed as mapping keys"),
            };
        }
    }

    fn merge(&mut self, value: Value, merged: &mut BTreeMap<String, Value>) -> Result<(), Failure> {
        let maps = match value {
            Value::Tuple(maps) => maps,
            map => vec![map],
        };
        for map in maps {
            let Value::Object(items) = map else {
                return failed("only a mapping can be merged with \"<<\"");
            };
            for (key, item) in items {
                merged.entry(key).or_insert(item);
            }
        }
        Ok(())
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, Failure> {
    let plain = style == ScalarStyle::Plain;
    match tag {
        None if plain => Ok(resolved(text)?),
        None => Ok(Value::text(text)),
        Some(tag) if tag.is_yaml_core_schema() => tagged(text, &tag.suffix),
        Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => Ok(Value::text(text)),
        Some(tag) => failed(format!("unsupported tag \"{}{}\"", tag.handle, tag.suffix)),
    }
}

fn tagged(text: &str, tag: &str) -> Result<Value, Failure> {
    let cannot = || failed(format!("cannot parse {text:?} as !!{tag}"));
    match tag {
        "str" => Ok(Value::text(text)),
        "binary" if of_base64(text).is_some() => Ok(Value::text(text)),
        "null" => Ok(Value::Null(Type::Any)),
        "bool" => word(text)
            .filter(|value| matches!(value, Value::Bool(_)))
            .map_or_else(cannot, Ok),
        "int" | "float" => number(text)?.map_or_else(cannot, |number| Ok(Value::Number(number))),
        "timestamp" => moment(text).map_or_else(cannot, Ok),
        "binary" => cannot(),
        other => failed(format!("unsupported tag \"!!{other}\"")),
    }
}

/// What a plain scalar means.
fn resolved(text: &str) -> Result<Value, Failure> {
    if let Some(value) = word(text).or_else(|| moment(text)) {
        return Ok(value);
    }
    match text {
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" => {
            failed("infinity is no value here")
        }
        ".nan" | ".NaN" | ".NAN" => failed("floating point NaN is not supported"),
        _ => Ok(number(text)?.map_or_else(|| Value::text(text), Value::Number)),
    }
}

fn word(text: &str) -> Option<Value> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null(Type::Any),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        _ => return None,
    })
}

/// Decimal, hexadecimal and octal numbers; digits that would be rounded away are refused.
fn number(text: &str) -> Result<Option<f64>, Failure> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let based = |prefix: &str, radix| {
        let rest = unsigned.strip_prefix(prefix)?;
        u64::from_str_radix(rest, radix).ok()
    };
    let whole = based("0x", 16).or_else(|| based("0o", 8));
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let decimal = match whole {
        Some(whole) => whole.to_string(),
        None if looks_decimal(unsigned) => unsigned.to_owned(),
        None => return Ok(None),
    };
    match convert::exact(&decimal) {
        Some(number) => Ok(Some(sign * number + 0.0)),
        None => failed(format!(
            "the number {text} has more digits than can be kept"
        )),
    }
}

fn looks_decimal(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.contains(|c: char| c.is_ascii_digit());
    starts
        && text.parse::<f64>().is_ok()
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'))
}

/// A date, alone or with a time, as RFC 3339.
fn moment(text: &str) -> Option<Value> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits != 4 || text.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, time),
        None => (text, ""),
    };
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return None;
    };
    let zone = if text.contains(' ') || time.is_empty() {
        "Z"
    } else {
        ""
    };
    let time = if time.is_empty() { "00:00:00" } else { time };
    let full = format!("{year}-{month:0>2}-{day:0>2}T{time}{zone}");
    timestamp::parse(&full)
        .ok()
        .map(|moment| Value::String(moment.rfc3339()))
}
