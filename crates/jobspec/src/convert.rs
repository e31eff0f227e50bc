//! Conversions between HCL's primitive types, as HCL makes them when a value meets an argument of another type.

use crate::cty::Value;

/// Integers below this are exact in a [`Value::Number`].
pub(crate) const EXACT: f64 = 9_007_199_254_740_992.0;

/// A string, or the text of a number or a bool.
pub(crate) fn to_string(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        _ => None,
    }
}

/// The same of a value that left the evaluator.
pub(crate) fn of_plain(value: &crate::Value) -> Option<String> {
    match value {
        crate::Value::String(text) => Some(text.clone()),
        crate::Value::Number(number) => Some(number.to_string()),
        crate::Value::Bool(bool) => Some(bool.to_string()),
        _ => None,
    }
}

/// The type's name in messages, of such a value.
pub(crate) fn plain_noun(value: &crate::Value) -> &'static str {
    match value {
        crate::Value::Null => "null",
        crate::Value::Bool(_) => "bool",
        crate::Value::Number(_) => "number",
        crate::Value::String(_) => "string",
        crate::Value::List(_) => "list",
        crate::Value::Object(_) => "object",
    }
}

/// A number, or the number that a string spells.
pub(crate) fn to_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::String(text) if spells_number(text) => exact(text),
        _ => None,
    }
}

/// A bool, or the bool that a string spells. A number is none.
pub(crate) fn to_bool(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(bool) => Some(*bool),
        Value::String(text) => match text.as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The number of a text of digits, if 64 bits hold it without loss.
///
/// HCL counts with 512 bits; what would come out rounded must be refused, not changed.
pub(crate) fn exact(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    let exact = number.abs() < EXACT && digits(text) == digits(&format!("{number:e}"));
    // Adding zero turns a negative zero into the only one there is.
    exact.then_some(number + 0.0)
}

/// The digits that count; the exponent of a number that was read is right as long as they are.
fn digits(text: &str) -> String {
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').to_owned()
}

/// Decimal digits with an optional sign, fraction and exponent; none of the names that Rust knows (`inf`).
fn spells_number(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::cty::Type;

    fn text(value: &str) -> Value {
        Value::String(value.to_owned())
    }

    #[test]
    fn primitives_become_strings() {
        for (value, expected) in [
            (Value::Number(5.0), "5"),
            (Value::Number(-5.0), "-5"),
            (Value::Number(1.5), "1.5"),
            (Value::Number(0.1), "0.1"),
            (Value::Number(1e-7), "0.0000001"),
            (Value::Number(5_000_000_000.0), "5000000000"),
            (Value::Bool(true), "true"),
            (text("x"), "x"),
        ] {
            assert_eq!(to_string(&value).as_deref(), Some(expected));
        }
        assert_eq!(to_string(&Value::Null(Type::Any)), None);
        assert_eq!(to_string(&Value::Tuple(Vec::new())), None);
    }

    #[test]
    fn strings_become_numbers() {
        for (spelled, number) in [("42", 42.0), ("-1", -1.0), ("1.5", 1.5), ("1e3", 1000.0)] {
            assert_eq!(to_number(&text(spelled)), Some(number));
        }
        for other in [
            "x",
            "",
            " 1",
            "0x10",
            "inf",
            "nan",
            "e",
            "1_000",
            "9007199254740993",
        ] {
            assert_eq!(to_number(&text(other)), None, "{other}");
        }
        assert_eq!(to_number(&Value::Bool(true)), None);
    }

    #[test]
    fn strings_become_bools_and_numbers_do_not() {
        assert_eq!(to_bool(&text("true")), Some(true));
        assert_eq!(to_bool(&text("1")), Some(true));
        assert_eq!(to_bool(&text("false")), Some(false));
        assert_eq!(to_bool(&text("0")), Some(false));
        assert_eq!(to_bool(&text("True")), None);
        assert_eq!(to_bool(&Value::Number(1.0)), None);
    }

    #[test]
    fn a_number_that_would_be_rounded_is_refused() {
        assert_eq!(exact("9007199254740991"), Some(9_007_199_254_740_991.0));
        assert_eq!(exact("9007199254740992"), None);
        assert_eq!(exact("3.14159265358979323846"), None);
        assert_eq!(exact("9007199254740989.9"), None);
        assert_eq!(exact("1000000.000000000000000000"), Some(1_000_000.0));
        assert_eq!(exact("1e300"), None);
        assert_eq!(exact("1e-400"), None);
        assert_eq!(exact("0.30000000000000004"), Some(0.1 + 0.2));
        assert!(exact("-0").unwrap().is_sign_positive());
    }
}
