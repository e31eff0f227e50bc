//! Which of two texts is the smaller one: as whole numbers where both are some, else as numbers, else by their bytes.

use std::cmp::Ordering;

/// `None`: one is not a number that can be compared.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    if let (Ok(a), Ok(b)) = (a.parse::<i64>(), b.parse::<i64>()) {
        return Some(a.cmp(&b));
    }
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.partial_cmp(&b),
        _ => Some(a.cmp(b)),
    }
}

/// A number too large to be kept is none, as in Go; the names for infinity are.
fn number(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    let named = text.contains(['i', 'I']);
    (number.is_finite() || number.is_nan() || named).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers_and_others_by_bytes() {
        for (a, b) in [
            ("8", "10"),
            ("-1", "0"),
            ("+1", "2"),
            ("1.5", "2"),
            ("9", "1e1"),
            ("9223372036854775807", "9223372036854777856"),
            ("10", "a"),
            ("10", "9x"),
            ("", "a"),
            ("A", "a"),
            ("1e999", "2e9999"),
        ] {
            assert_eq!(compare(a, b), Some(Ordering::Less), "{a} < {b}");
            assert_eq!(compare(b, a), Some(Ordering::Greater), "{b} > {a}");
            assert_eq!(compare(a, a), Some(Ordering::Equal), "{a}");
        }
        assert_eq!(compare("1", "1.0"), Some(Ordering::Equal));
        assert_eq!(compare("nan", "1.5"), None);
    }
}
