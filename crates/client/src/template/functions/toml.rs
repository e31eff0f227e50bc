//! TOML as Go's most used encoder writes it.
use super::super::go::{Buffer, Map, Value, shortest};

pub(super) fn write(value: &Value) -> Result<Value, String> {
    let mut to = Buffer::default();
    match value {
        Value::Map(map) => table(map, &mut Vec::new(), &mut to)?,
        value => inline(value, &mut to)?,
    }
    let bytes = to.finish()?;
    Ok(Value::text(String::from_utf8_lossy(&bytes).trim()))
}

/// Plain values first, then the tables, each by name.
fn table(map: &Map, path: &mut Vec<String>, to: &mut Buffer) -> Result<(), String> {
    let indent = "  ".repeat(path.len());
    let (tables, plain): (Vec<_>, Vec<_>) = map.entries.iter().partition(|(_, v)| is_table(v));
    for (name, value) in plain {
        if to.is_over() {
            return Ok(());
        }
        if matches!(value, Value::Nil | Value::Missing) {
            continue;
        }
        to.push(format!("{indent}{} = ", key(name)));
        inline(value, to)?;
        to.push("\n");
    }
    for (name, value) in tables {
        if to.is_over() {
            return Ok(());
        }
        path.push(key(name));
        match value {
            Value::Map(map) => header(map, path, ["[", "]"], to)?,
            Value::List(list) => {
                for item in &list.items {
                    if to.is_over() {
                        break;
                    }
                    if let Value::Map(map) = item {
                        header(map, path, ["[[", "]]"], to)?;
                    }
                }
            }
            _ => {}
        }
        path.pop();
    }
    Ok(())
}

fn header(
    map: &Map,
    path: &mut Vec<String>,
    brackets: [&str; 2],
    to: &mut Buffer,
) -> Result<(), String> {
    let indent = "  ".repeat(path.len() - 1);
    let [open, close] = brackets;
    if path.len() == 1 || open == "[[" {
        to.push("\n");
    }
    to.push(format!("{indent}{open}{}{close}\n", path.join(".")));
    table(map, path, to)
}

fn is_table(value: &Value) -> bool {
    match value {
        Value::Map(_) => true,
        Value::List(list) => {
            !list.items.is_empty() && list.items.iter().all(|item| matches!(item, Value::Map(_)))
        }
        _ => false,
    }
}

fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

fn inline(value: &Value, to: &mut Buffer) -> Result<(), String> {
    match value {
        Value::Bool(value) => to.push(value.to_string()),
        Value::Int(value) => to.push(value.to_string()),
        Value::Uint(value) => to.push(value.to_string()),
        Value::Float(value) => to.push(float(*value)),
        Value::Text(text) => to.push(quoted(&String::from_utf8_lossy(text))),
        Value::List(list) => {
            to.push("[");
            for (index, item) in list.items.iter().enumerate() {
                if to.is_over() {
                    return Ok(());
                }
                if index > 0 {
                    to.push(", ");
                }
                inline(item, to)?;
            }
            to.push("]");
        }
        Value::Map(map) => {
            to.push("{");
            for (index, (name, item)) in map.entries.iter().enumerate() {
                if to.is_over() {
                    return Ok(());
                }
                if index > 0 {
                    to.push(", ");
                }
                to.push(format!("{} = ", key(name)));
                inline(item, to)?;
            }
            to.push("}");
        }
        Value::Nil | Value::Missing | Value::Scratch => {
            return Err("toTOML: a list cannot hold nil".to_owned());
        }
    }
    Ok(())
}

fn float(value: f64) -> String {
    if !value.is_finite() {
        return shortest(value, 21).to_lowercase();
    }
    let text = value.to_string();
    if text.contains('.') {
        text
    } else {
        text + ".0"
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted += "\\\"",
            '\\' => quoted += "\\\\",
            '\n' => quoted += "\\n",
            '\r' => quoted += "\\r",
            '\t' => quoted += "\\t",
            '\u{8}' => quoted += "\\b",
            '\u{c}' => quoted += "\\f",
            _ if u32::from(c) < 0x20 || c == '\u{7f}' => {
                quoted += &format!("\\u{:04x}", u32::from(c));
            }
            _ => quoted.push(c),
        }
    }
    quoted + "\""
}
