//! Go's own functions, and what is known of the others.
use super::compare::{equal, less};
use super::print::{Buffer, sprint, sprintln};
use super::printf::sprintf;
use super::value::Value;

/// What a function takes in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameter {
    Any,
    Text,
    Int,
    List,
    Map,
}

/// What a function takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Function {
    pub(crate) fixed: &'static [Parameter],
    /// What may follow, as often as one likes.
    pub(crate) rest: Option<Parameter>,
}

use Parameter::{Any, Text};

impl Function {
    /// Whether it takes so many arguments.
    pub(super) fn counted(&self, name: &str, given: usize) -> Result<(), String> {
        let fixed = self.fixed.len();
        match self.rest {
            Some(_) if given < fixed => Err(format!(
                "wrong number of args for {name}: want at least {fixed} got {given}"
            )),
            None if given != fixed => Err(format!(
                "wrong number of args for {name}: want {fixed} got {given}"
            )),
            _ => Ok(()),
        }
    }

    /// Whether it takes a value in this place.
    pub(super) fn typed(&self, index: usize, value: &Value) -> Result<(), String> {
        let parameter = self.fixed.get(index).copied().or(self.rest);
        let (fits, wanted) = match parameter {
            None | Some(Any) => return Ok(()),
            Some(Text) => (matches!(value, Value::Text(_)), "string"),
            Some(Parameter::Int) => (matches!(value, Value::Int(_)), "int"),
            Some(Parameter::List) => (matches!(value, Value::List(_)), "[]interface {}"),
            Some(Parameter::Map) => (matches!(value, Value::Map(_)), "map[string]interface {}"),
        };
        match value {
            _ if fits => Ok(()),
            Value::Missing | Value::Nil => Err(format!("invalid value; expected {wanted}")),
            other => Err(format!(
                "wrong type for value; expected {wanted}; got {}",
                other.type_name()
            )),
        }
    }
}

const fn of(fixed: &'static [Parameter], rest: Option<Parameter>) -> Option<Function> {
    Some(Function { fixed, rest })
}

/// The functions that every template knows.
pub(super) fn function(name: &str) -> Option<Function> {
    match name {
        "and" | "or" | "call" | "eq" | "index" | "slice" => of(&[Any], Some(Any)),
        "html" | "js" | "urlquery" | "print" | "println" => of(&[], Some(Any)),
        "printf" => of(&[Text], Some(Any)),
        "len" | "not" => of(&[Any], None),
        "ne" | "lt" | "le" | "gt" | "ge" => of(&[Any, Any], None),
        _ => None,
    }
}

/// Whether a function costs the same however large its argument is.
pub(super) fn only_looks(name: &str) -> bool {
    matches!(name, "len" | "index" | "not")
}

/// Calls one of them; `and` and `or` are not among them, since they leave arguments unread.
pub(super) fn call(name: &str, args: &[Value]) -> Result<Value, String> {
    match (name, args) {
        ("print", _) => sprint(args).map(Value::text),
        ("println", _) => sprintln(args).map(Value::text),
        ("printf", [Value::Text(format), values @ ..]) => sprintf(format, values).map(Value::text),
        ("len", [value]) => length(value),
        ("not", [value]) => Ok(Value::Bool(!value.truth())),
        ("index", [value, indexes @ ..]) => index(value, indexes),
        ("slice", [value, indexes @ ..]) => slice(value, indexes),
        ("eq", [one, others @ ..]) => any_equal(one, others),
        ("ne", [one, other]) => equal(one, other).map(|equal| Value::Bool(!equal)),
        ("lt", [one, other]) => less(one, other).map(Value::Bool),
        ("le", [one, other]) => Ok(Value::Bool(less(one, other)? || equal(one, other)?)),
        ("gt", [one, other]) => Ok(Value::Bool(!(less(one, other)? || equal(one, other)?))),
        ("ge", [one, other]) => less(one, other).map(|less| Value::Bool(!less)),
        ("html", _) => escaped(args, html),
        ("js", _) => escaped(args, js),
        ("urlquery", _) => escaped(args, urlquery),
        ("call", [value, ..]) => Err(format!("non-function of type {}", value.type_name())),
        _ => Err("wrong number of args".to_owned()),
    }
}

fn any_equal(one: &Value, others: &[Value]) -> Result<Value, String> {
    if others.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in others {
        if equal(one, other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn length(value: &Value) -> Result<Value, String> {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::List(list) => list.items.len(),
        Value::Map(map) => map.entries.len(),
        Value::Missing | Value::Nil => return Err("len of nil pointer".to_owned()),
        value => return Err(format!("len of type {}", value.type_name())),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn position(index: &Value, length: usize) -> Result<usize, String> {
    let number = match index {
        Value::Int(number) => i128::from(*number),
        Value::Uint(number) => i128::from(*number),
        Value::Missing | Value::Nil => return Err("cannot index slice/array with nil".to_owned()),
        other => {
            return Err(format!(
                "cannot index slice/array with type {}",
                other.type_name()
            ));
        }
    };
    match usize::try_from(number) {
        Ok(position) if position <= length => Ok(position),
        _ => Err(format!("index out of range: {number}")),
    }
}

fn index(value: &Value, indexes: &[Value]) -> Result<Value, String> {
    if matches!(value, Value::Missing | Value::Nil) {
        return Err("index of untyped nil".to_owned());
    }
    let mut value = value.clone();
    for index in indexes {
        value = match &value {
            Value::Text(text) => {
                let at = position(index, text.len())?;
                let byte = text.get(at).ok_or_else(|| out_of_range(at))?;
                Value::Uint(u64::from(*byte))
            }
            Value::List(list) => {
                let at = position(index, list.items.len())?;
                list.items.get(at).ok_or_else(|| out_of_range(at))?.clone()
            }
            Value::Map(map) => match index {
                Value::Text(name) => {
                    let name = String::from_utf8_lossy(name);
                    map.entries.get(&*name).unwrap_or(&map.zero).clone()
                }
                other => {
                    return Err(format!(
                        "value has type {}; should be string",
                        other.type_name()
                    ));
                }
            },
            Value::Missing | Value::Nil => return Err("index of nil pointer".to_owned()),
            other => return Err(format!("can't index item of type {}", other.type_name())),
        };
    }
    Ok(value)
}

fn out_of_range(at: usize) -> String {
    format!("index out of range: {at}")
}

fn slice(value: &Value, indexes: &[Value]) -> Result<Value, String> {
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()));
    }
    let length = match value {
        Value::Text(_) if indexes.len() == 3 => {
            return Err("cannot 3-index slice a string".to_owned());
        }
        Value::Text(text) => text.len(),
        Value::List(list) => list.items.len(),
        Value::Missing | Value::Nil => return Err("slice of untyped nil".to_owned()),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let mut bounds = [0, length, length];
    for (bound, index) in bounds.iter_mut().zip(indexes) {
        *bound = position(index, length)?;
    }
    let [from, to, most] = bounds;
    if from > to || to > most {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    match value {
        Value::Text(text) => Ok(Value::text(&text[from..to])),
        Value::List(list) => Value::list(list.items[from..to].to_vec()),
        _ => Err("cannot slice".to_owned()),
    }
}

fn escaped(args: &[Value], escape: fn(&[u8], &mut Buffer)) -> Result<Value, String> {
    let text = match args {
        [Value::Text(text)] => text.to_vec(),
        args => sprint(&args.iter().map(shown).collect::<Vec<_>>())?,
    };
    let mut to = Buffer::default();
    escape(&text, &mut to);
    to.finish().map(Value::text)
}

/// As an action shows a value.
fn shown(value: &Value) -> Value {
    match value {
        Value::Missing | Value::Nil => Value::text("<no value>"),
        value => value.clone(),
    }
}

fn html(text: &[u8], to: &mut Buffer) {
    for byte in text {
        match byte {
            0 => to.push("\u{fffd}"),
            b'"' => to.push("&#34;"),
            b'\'' => to.push("&#39;"),
            b'&' => to.push("&amp;"),
            b'<' => to.push("&lt;"),
            b'>' => to.push("&gt;"),
            byte => to.push([*byte]),
        }
    }
}

fn js(text: &[u8], to: &mut Buffer) {
    for c in String::from_utf8_lossy(text).chars() {
        match c {
            '\\' => to.push("\\\\"),
            '\'' => to.push("\\'"),
            '"' => to.push("\\\""),
            '<' | '>' | '&' | '=' => to.push(format!("\\u{:04X}", u32::from(c))),
            _ if c.is_control() => to.push(format!("\\u{:04X}", u32::from(c))),
            _ => to.push(c.to_string()),
        }
    }
}

fn urlquery(text: &[u8], to: &mut Buffer) {
    for byte in text {
        match byte {
            b' ' => to.push("+"),
            b'-' | b'_' | b'.' | b'~' => to.push([*byte]),
            byte if byte.is_ascii_alphanumeric() => to.push([*byte]),
            byte => to.push(format!("%{byte:02X}")),
        }
    }
}
