//! Go's constants: how they are written, and how numbers are written again.
use super::value::Value;

/// How far a number reaches.
pub(super) fn length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let mut digits: &[u8] = b"0123456789_";
    if bytes.get(at) == Some(&b'0') {
        at += 1;
        digits = match bytes.get(at) {
            Some(b'x' | b'X') => b"0123456789abcdefABCDEF_",
            Some(b'o' | b'O') => b"01234567_",
            Some(b'b' | b'B') => b"01_",
            _ => digits,
        };
        at += usize::from(digits.len() != 11);
    }
    let run = |mut at: usize, set: &[u8]| {
        while bytes.get(at).is_some_and(|byte| set.contains(byte)) {
            at += 1;
        }
        at
    };
    at = run(at, digits);
    if bytes.get(at) == Some(&b'.') {
        at = run(at + 1, digits);
    }
    let exponent: &[u8] = match digits.len() {
        11 => b"eE",
        23 => b"pP",
        _ => b"",
    };
    if bytes.get(at).is_some_and(|byte| exponent.contains(byte)) {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        at = run(at, b"0123456789_");
    }
    at
}

/// The value of a number as it is written; complex ones have no use in a template.
pub(super) fn constant(written: &str) -> Option<Value> {
    if let Some(value) = integer(written) {
        return i64::try_from(value).ok().map(Value::Int);
    }
    let float = written.contains(['.', 'e', 'E', 'p', 'P']);
    let digits = without_underscores(written)?;
    float
        .then(|| parse_float(&digits))
        .flatten()
        .map(Value::Float)
}

/// A number with Go's prefixes: a leading 0 alone is octal.
fn integer(written: &str) -> Option<i128> {
    let (negative, digits) = match written.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, written.strip_prefix('+').unwrap_or(written)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    let digits = without_underscores(digits.strip_prefix('_').unwrap_or(digits))?;
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i128::from_str_radix(&digits, radix).ok()?;
    Some(if negative { -value } else { value })
}

/// An underscore stands between two digits.
fn without_underscores(digits: &str) -> Option<String> {
    let wrong = digits.starts_with('_') || digits.ends_with('_') || digits.contains("__");
    (!wrong).then(|| digits.replace('_', ""))
}

/// A float as Go reads it, hexadecimal ones excepted.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let lower = unsigned.to_ascii_lowercase();
    let named = matches!(lower.as_str(), "inf" | "infinity" | "nan");
    if !named && lower.contains(|c: char| !matches!(c, '0'..='9' | '.' | 'e' | '+' | '-')) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    // Out of range is an error in Go.
    (named || value.is_finite()).then_some(value)
}

/// The text of a Go string without its quotes, escapes replaced.
pub(super) fn unquote(inner: &str, quote: char) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while !rest.is_empty() {
        let (unit, behind) = unit(rest, quote)?;
        match unit {
            Unit::Byte(byte) => bytes.push(byte),
            Unit::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        rest = behind;
    }
    Some(bytes)
}

/// The one character of a character constant.
pub(super) fn character(inner: &str) -> Option<u32> {
    match unit(inner, '\'')? {
        (Unit::Byte(byte), "") => Some(u32::from(byte)),
        (Unit::Char(c), "") => Some(u32::from(c)),
        _ => None,
    }
}

enum Unit {
    Byte(u8),
    Char(char),
}

fn unit(text: &str, quote: char) -> Option<(Unit, &str)> {
    let mut chars = text.chars();
    let first = chars.next()?;
    if first != '\\' {
        return (first != quote).then_some((Unit::Char(first), chars.as_str()));
    }
    let escape = chars.next()?;
    let rest = chars.as_str();
    let simple = match escape {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        _ if escape == quote => quote as u8,
        'x' => {
            return Some((
                Unit::Byte(u8::try_from(digits(rest, 2, 16)?).ok()?),
                &rest[2..],
            ));
        }
        'u' => {
            return Some((
                Unit::Char(char::from_u32(digits(rest, 4, 16)?)?),
                &rest[4..],
            ));
        }
        'U' => {
            return Some((
                Unit::Char(char::from_u32(digits(rest, 8, 16)?)?),
                &rest[8..],
            ));
        }
        '0'..='7' => {
            let byte = u8::try_from(digits(&text[1..], 3, 8)?).ok()?;
            return Some((Unit::Byte(byte), &text[4..]));
        }
        _ => return None,
    };
    Some((Unit::Byte(simple), rest))
}

fn digits(text: &str, count: usize, radix: u32) -> Option<u32> {
    let digits = text.get(..count)?;
    let plain = digits.chars().all(|c| c.is_digit(radix));
    plain
        .then(|| u32::from_str_radix(digits, radix).ok())
        .flatten()
}

/// No float has more decimals than 1074 that are not zero, nor more digits than 767. Rust writes no more than 65535.
pub(super) const EXACT: usize = 1100;

/// The shortest digits that read as this float again, or so many; and where the point stands: 0.`digits` × 10^`point`.
pub(super) fn digits_of(value: f64, precision: Option<usize>) -> (String, i32) {
    let behind = precision.map(|digits| digits.saturating_sub(1));
    let exact = behind.map(|digits| digits.min(EXACT));
    let written = match exact {
        Some(digits) => format!("{:.digits$e}", value.abs()),
        None => format!("{:e}", value.abs()),
    };
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let zeros = behind.zip(exact).map_or(0, |(all, exact)| all - exact);
    (mantissa.replace('.', "") + &"0".repeat(zeros), exponent + 1)
}

/// A float as `%g` writes it, with an exponent from `large` on.
pub(crate) fn shortest(value: f64, large: i32) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let (digits, point) = digits_of(value, None);
    if value == 0.0 {
        return format!("{sign}0");
    }
    let exponent = point - 1;
    if exponent < -4 || exponent >= large {
        format!("{sign}{}", scientific(&digits, exponent, 'e'))
    } else {
        format!("{sign}{}", value.abs())
    }
}

/// Digits with an exponent of two digits at least.
pub(super) fn scientific(digits: &str, exponent: i32, e: char) -> String {
    let (first, rest) = digits.split_at(1.min(digits.len()));
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{point}{rest}{e}{sign}{:02}", exponent.abs())
}
