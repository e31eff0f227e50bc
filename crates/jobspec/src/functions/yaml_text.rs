//! Values to YAML: every text in double quotes or, with several lines, as a block, so that none is taken for anything else.

use crate::convert;
use crate::cty::Value;

/// A document.
pub(super) fn encoded(value: &Value) -> String {
    let mut out = String::new();
    write(value, Place::Document, &mut out);
    let is_plain = matches!(value, Value::Null(_) | Value::Bool(_) | Value::Number(_));
    // Nothing else tells where a word of a document ends.
    if is_plain { out + "...\n" } else { out }
}

/// What stands before a value, and how far to the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Document,
    /// A key and its colon.
    Key(usize),
    /// The dash of an item.
    Dash(usize),
}

impl Place {
    /// Where the keys of a map begin here.
    fn keys(self) -> usize {
        match self {
            Place::Document => 0,
            Place::Key(at) | Place::Dash(at) => at + 2,
        }
    }

    /// Where the dashes of a list begin: below a key no further to the right than the key.
    fn dashes(self) -> usize {
        match self {
            Place::Key(at) => at,
            other => other.keys(),
        }
    }

    /// Begins a line for an entry at that column; the first behind a dash stands on the dash's own line.
    fn entry(self, first: bool, column: usize, out: &mut String) {
        match self {
            Place::Dash(_) if first => return out.push(' '),
            Place::Key(_) if first => out.push('\n'),
            _ => {}
        }
        *out += &" ".repeat(column);
    }
}

fn write(value: &Value, place: Place, out: &mut String) {
    match (value.items(), value.entries()) {
        (Some([]), _) => line("[]", place, out),
        (_, Some(items)) if items.is_empty() => line("{}", place, out),
        (Some(items), _) => {
            let column = place.dashes();
            for (at, item) in items.iter().enumerate() {
                place.entry(at == 0, column, out);
                out.push('-');
                write(item, Place::Dash(column), out);
            }
        }
        (_, Some(items)) => {
            let column = place.keys();
            for (at, (key, item)) in items.iter().enumerate() {
                place.entry(at == 0, column, out);
                *out += &quoted(key);
                out.push(':');
                write(item, Place::Key(column), out);
            }
        }
        _ => match value {
            Value::String(text) if can_be_block(text) => block(text, place, out),
            Value::String(text) => line(&quoted(text), place, out),
            Value::Null(_) => line("null", place, out),
            simple => line(&convert::to_string(simple).unwrap_or_default(), place, out),
        },
    }
}

fn line(text: &str, place: Place, out: &mut String) {
    if place != Place::Document {
        out.push(' ');
    }
    *out += text;
    out.push('\n');
}

/// Space at the end of a line would not be seen.
fn can_be_block(text: &str) -> bool {
    text.contains('\n')
        && text.chars().all(|c| c == '\n' || !is_special(c))
        && !text.split('\n').any(|line| line.ends_with(' '))
}

fn block(text: &str, place: Place, out: &mut String) {
    let end = match text.strip_suffix('\n') {
        None => "-",
        Some(rest) if rest.ends_with('\n') || rest.is_empty() => "+",
        Some(_) => "",
    };
    // Space at the beginning would be taken for the indentation.
    let hint = if text.starts_with([' ', '\n']) {
        "2"
    } else {
        ""
    };
    line(&format!("|{hint}{end}"), place, out);
    let column = place.keys().max(2);
    for part in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if !part.is_empty() {
            *out += &" ".repeat(column);
            *out += part;
        }
        out.push('\n');
    }
}

/// What a reader of YAML takes for something else than a character: a break of lines, the mark at a text's beginning.
fn is_special(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
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
            c if is_special(c) && (c as u32) < 0x100 => quoted += &format!("\\x{:02X}", c as u32),
            c if is_special(c) => quoted += &format!("\\u{:04X}", c as u32),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
