//! Documents in JSON: their values, with every digit that was written, and the places of their keys.

use std::collections::BTreeMap;

use crate::cty::{Type, Value};
use crate::{Span, convert};

/// A document as a value. Digits that would be rounded away are refused, as in the job file itself.
pub(crate) fn value(text: &str) -> Result<Value, String> {
    // Says what is wrong, and that nothing is nested too deep for what follows. Its own numbers are rounded.
    serde_json::from_str::<serde_json::Value>(text).map_err(|error| error.to_string())?;
    let mut pieces = Pieces { text, at: 0 };
    let first = pieces.piece()?;
    pieces.value(first)
}

/// The places of the keys of a document that is an object; of one that is there twice that of the last, whose value counts.
pub(crate) fn keys(document: &str) -> BTreeMap<String, Span> {
    let mut keys = BTreeMap::new();
    let (mut depth, mut before) = (0_usize, 0..0);
    for place in (Pieces {
        text: document,
        at: 0,
    }) {
        match &document[place.clone()] {
            "{" | "[" => depth += 1,
            "}" | "]" => depth = depth.saturating_sub(1),
            ":" if depth == 1 => {
                if let Ok(name) = text(&document[before.clone()]) {
                    keys.insert(name, before.clone());
                }
            }
            _ => before = place,
        }
    }
    keys
}

/// The pieces of a text that is JSON: each bracket, colon, comma, text, number and word.
struct Pieces<'t> {
    text: &'t str,
    at: usize,
}

impl Iterator for Pieces<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        let rest = self.text[self.at..].trim_start();
        let start = self.text.len() - rest.len();
        let first = rest.chars().next()?;
        let is_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let length = match first {
            '"' => end_of_text(rest),
            c if is_of_word(c) => rest.find(|c| !is_of_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        self.at = start + length;
        Some(start..self.at)
    }
}

/// Behind the quote that no backslash stands before.
fn end_of_text(quoted: &str) -> usize {
    let mut escaped = false;
    let end = quoted[1..].find(|c| {
        let is_end = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        is_end
    });
    end.map_or(quoted.len(), |end| end + 2)
}

impl<'t> Pieces<'t> {
    fn piece(&mut self) -> Result<&'t str, String> {
        let place = self.next().ok_or("the document ends too soon")?;
        Ok(&self.text[place])
    }

    /// The value that begins with that piece.
    fn value(&mut self, first: &str) -> Result<Value, String> {
        match first {
            "{" => self.object(),
            "[" => self.array(),
            "null" => Ok(Value::Null(Type::Any)),
            "true" | "false" => Ok(Value::Bool(first == "true")),
            quoted if quoted.starts_with('"') => text(quoted).map(Value::String),
            digits => number(digits),
        }
    }

    fn array(&mut self) -> Result<Value, String> {
        let mut items = Vec::new();
        loop {
            match self.piece()? {
                "]" => return Ok(Value::Tuple(items)),
                "," => {}
                first => items.push(self.value(first)?),
            }
        }
    }

    fn object(&mut self) -> Result<Value, String> {
        let mut items = BTreeMap::new();
        loop {
            match self.piece()? {
                "}" => return Ok(Value::Object(items)),
                "," => {}
                name => {
                    let _colon = self.piece()?;
                    let first = self.piece()?;
                    items.insert(text(name)?, self.value(first)?);
                }
            }
        }
    }
}

fn text(quoted: &str) -> Result<String, String> {
    serde_json::from_str(quoted).map_err(|error| error.to_string())
}

fn number(digits: &str) -> Result<Value, String> {
    let too_much = |digits: &str| match digits.contains(['e', 'E']) {
        true if !digits.contains("e-") && !digits.contains("E-") => "is too large",
        _ => "has more digits than can be kept",
    };
    convert::exact(digits)
        .map(Value::Number)
        .ok_or_else(|| format!("the number {digits} {}", too_much(digits)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_the_value_that_it_says() {
        let document =
            r#" { "a\"\u0062" : [ 1, -0.5, true, null, {}, [] ], "c":"\\", "d":1,"d":2 } "#;
        let Value::Object(items) = value(document).unwrap() else {
            panic!("{document}");
        };
        let list = vec![
            Value::Number(1.0),
            Value::Number(-0.5),
            Value::Bool(true),
            Value::Null(Type::Any),
            Value::Object(BTreeMap::new()),
            Value::Tuple(Vec::new()),
        ];
        assert_eq!(items["a\"b"], Value::Tuple(list));
        assert_eq!(items["c"], Value::text("\\"));
        assert_eq!(items["d"], Value::Number(2.0));
    }

    #[test]
    fn digits_that_would_be_lost_are_refused() {
        for digits in [
            "3.14159265358979323846",
            "1e-400",
            "9007199254740993",
            "1e30",
        ] {
            assert!(value(digits).unwrap_err().contains(digits), "{digits}");
        }
        for (digits, number) in [
            ("0.30000000000000004", 0.1 + 0.2),
            ("1.5e-30", 1.5e-30),
            ("-0", 0.0),
        ] {
            assert_eq!(value(digits).unwrap(), Value::Number(number), "{digits}");
        }
    }

    #[test]
    fn a_key_is_where_it_stands_before_its_colon() {
        let document = r#"{"x": "a", "y": {"a": 1}, "\u0061": 2, "b": 1, "b": 2}"#;
        let keys = keys(document);
        assert_eq!(keys.len(), 4);
        assert_eq!(&document[keys["a"].clone()], r#""\u0061""#);
        assert_eq!(keys["b"].start, document.rfind("\"b\"").unwrap());
    }
}
