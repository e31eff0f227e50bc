//! Durations as Go writes them: `1m30s`, `500ms`, `1.5h`.

use std::time::Duration;

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("it is not a duration; write for example \"1m30s\"")]
    Malformed,
    #[error("it has no unit; the units are h, m, s, ms, us and ns")]
    MissingUnit,
    #[error("\"{0}\" is no unit; the units are h, m, s, ms, us and ns")]
    UnknownUnit(String),
    #[error("it is too long; about 292 years are the most")]
    TooLong,
}

/// Reads a duration that is none of a job file: a flag's. `None`: it is none, or less than nothing.
pub fn duration(text: &str) -> Option<Duration> {
    let nanoseconds = parse(text).ok()?;
    u64::try_from(nanoseconds).ok().map(Duration::from_nanos)
}

/// Reads a duration as nanoseconds.
pub(crate) fn parse(text: &str) -> Result<i64, Error> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(Error::Malformed);
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let (part, after) = component(rest)?;
        total += part;
        rest = after;
        if total > i128::from(i64::MAX) + 1 {
            return Err(Error::TooLong);
        }
    }
    let signed = if negative { -total } else { total };
    i64::try_from(signed).map_err(|_| Error::TooLong)
}

/// Reads one number with its unit, as nanoseconds.
fn component(text: &str) -> Result<(i128, &str), Error> {
    let (whole, rest) = split(text, |c| c.is_ascii_digit());
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => split(rest, |c| c.is_ascii_digit()),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(Error::Malformed);
    }
    let (unit, rest) = split(rest, |c| c != '.' && !c.is_ascii_digit());
    let scale = nanoseconds(unit)?;
    let whole: i128 = match whole {
        "" => 0,
        digits => digits.parse().map_err(|_| Error::TooLong)?,
    };
    let whole = whole.checked_mul(scale).ok_or(Error::TooLong)?;
    Ok((whole + part_of(fraction, scale), rest))
}

/// `0.<fraction>` of a unit, cut to whole nanoseconds.
fn part_of(fraction: &str, scale: i128) -> i128 {
    // An hour has 3.6e12 nanoseconds; digits behind the 15th cannot reach one of them.
    let digits = &fraction[..fraction.len().min(15)];
    let (numerator, denominator) =
        digits
            .bytes()
            .fold((0, 1), |(numerator, denominator), digit| {
                (numerator * 10 + i128::from(digit - b'0'), denominator * 10)
            });
    numerator * scale / denominator
}

fn nanoseconds(unit: &str) -> Result<i128, Error> {
    Ok(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "" => return Err(Error::MissingUnit),
        other => return Err(Error::UnknownUnit(other.to_owned())),
    })
}

/// A duration as a job file would have it: `1m30s`.
pub(crate) fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parts = [
        (hours, "h"),
        (minutes, "m"),
        (seconds, "s"),
        (u64::from(duration.subsec_millis()), "ms"),
        (u64::from(duration.subsec_nanos() % 1_000_000), "ns"),
    ];
    let shown: String = parts
        .into_iter()
        .filter(|&(amount, _)| amount > 0)
        .map(|(amount, unit)| format!("{amount}{unit}"))
        .collect();
    if shown.is_empty() {
        "0s".to_owned()
    } else {
        shown
    }
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("-0", 0),
            ("5s", 5_000_000_000),
            ("1m30s", 90_000_000_000),
            ("500ms", 500_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("+3us", 3_000),
            ("3µs", 3_000),
            ("3μs", 3_000),
            ("-1.25ms", -1_250_000),
            ("0.3333333333333333333h", 1_199_999_999_999),
            ("2562047h47m16.854775807s", i64::MAX),
            ("-2562047h47m16.854775808s", i64::MIN),
        ] {
            assert_eq!(parse(text), Ok(nanoseconds), "{text}");
        }
    }

    #[test]
    fn durations_are_shown_as_they_are_written() {
        for text in ["0s", "5s", "1m30s", "24h", "1h1ms", "250ms", "3ns"] {
            let nanoseconds = parse(text).map(|nanoseconds| nanoseconds as u64);
            assert_eq!(
                nanoseconds
                    .map(|n| shown(Duration::from_nanos(n)))
                    .as_deref(),
                Ok(text)
            );
        }
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        for text in [
            "", "s", "-", "+", ".", ".s", "-.s", "five", " 5s", "1s -2s", "1s-2s",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("5"), Err(Error::MissingUnit));
        assert_eq!(parse("1m30"), Err(Error::MissingUnit));
        assert_eq!(parse("1d"), Err(Error::UnknownUnit("d".to_owned())));
        assert_eq!(parse("2562047h47m16.854775808s"), Err(Error::TooLong));
        assert_eq!(parse(&"9".repeat(60)), Err(Error::MissingUnit));
        assert_eq!(parse(&format!("{}s", "9".repeat(60))), Err(Error::TooLong));
    }
}
