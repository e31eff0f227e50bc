//! What Go's `fmt.Print` makes of values.
use super::budget::MAX_OUTPUT;
use super::number::shortest;
use super::value::Value;

/// Bytes up to a bound; what goes over it is thrown away and found out in the end.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    over: bool,
}

impl Buffer {
    pub(crate) fn push(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        if self.over || self.bytes.len() + bytes.len() > MAX_OUTPUT {
            self.over = true;
            return;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>, String> {
        if self.over {
            return Err(TOO_LARGE.to_owned());
        }
        Ok(self.bytes)
    }
}

/// What is said of a result over [`MAX_OUTPUT`].
pub(crate) const TOO_LARGE: &str = "the result is larger than 16 MiB";
/// From this exponent on `%v` writes floats with one.
pub(super) const LARGE: i32 = 6;

/// Writes a value as `%v` does.
pub(crate) fn print(value: &Value, to: &mut Buffer) {
    match value {
        Value::Missing | Value::Nil => to.push("<nil>"),
        Value::Bool(value) => to.push(value.to_string()),
        Value::Int(value) => to.push(value.to_string()),
        Value::Uint(value) => to.push(value.to_string()),
        Value::Float(value) => to.push(shortest(*value, LARGE)),
        Value::Text(text) => to.push(text),
        Value::Scratch => to.push("scratch"),
        Value::List(list) => {
            to.push("[");
            for (index, item) in list.items.iter().enumerate() {
                if to.is_over() {
                    return;
                }
                if index > 0 {
                    to.push(" ");
                }
                print(item, to);
            }
            to.push("]");
        }
        Value::Map(map) => {
            to.push("map[");
            for (index, (name, value)) in map.entries.iter().enumerate() {
                if to.is_over() {
                    return;
                }
                if index > 0 {
                    to.push(" ");
                }
                to.push(name);
                to.push(":");
                print(value, to);
            }
            to.push("]");
        }
    }
}

/// `print`: a space between two operands of which none is a text.
pub(super) fn sprint(values: &[Value]) -> Result<Vec<u8>, String> {
    let mut to = Buffer::default();
    let mut before: Option<&Value> = None;
    for value in values {
        let apart = |value: &Value| !matches!(value, Value::Text(_));
        if before.is_some_and(apart) && apart(value) {
            to.push(" ");
        }
        print(value, &mut to);
        before = Some(value);
    }
    to.finish()
}

/// `println`: always a space, and a newline at the end.
pub(super) fn sprintln(values: &[Value]) -> Result<Vec<u8>, String> {
    let mut to = Buffer::default();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            to.push(" ");
        }
        print(value, &mut to);
    }
    to.push("\n");
    to.finish()
}
