//! Base64, URLs and YAML.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Function, fixed, nullable, string, yaml, yaml_text};
use crate::call::{Call, Failure, failed, text};
use crate::cty::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("base64decode", &[string("str")], base64decode),
    fixed("base64encode", &[string("str")], |of, _| {
        Ok(Value::String(base64(text(&of[0]).as_bytes())))
    }),
    fixed("urlencode", &[string("str")], |of, _| {
        Ok(Value::String(urlencode(text(&of[0]))))
    }),
    fixed("yamldecode", &[string("src")], |of, call| {
        yaml::decoded(text(&of[0]), call)
    }),
    fixed("yamlencode", &[nullable("value")], |of, _| {
        Ok(Value::String(yaml_text::encoded(&of[0])))
    }),
];

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn of_base64(text: &str) -> Option<Vec<u8>> {
    // Newlines are passed over, as Go does.
    let dense: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    STANDARD.decode(dense).ok()
}

fn base64decode(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let written = text(&of[0]);
    let Some(bytes) = of_base64(written) else {
        return failed(format!("failed to decode base64 data '{written}'"));
    };
    String::from_utf8(bytes)
        .map(Value::String)
        .or_else(|_| failed("the result of decoding the provided string is not valid UTF-8"))
}

fn urlencode(of: &str) -> String {
    let mut encoded = String::new();
    for byte in of.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'-' | b'_' | b'.' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                encoded.push(char::from(byte))
            }
            other => encoded += &format!("%{other:02X}"),
        }
    }
    encoded
}
