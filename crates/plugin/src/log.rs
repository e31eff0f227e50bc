//! Lines for the agent's log: one JSON object each, in hclog's form, on standard error.
//!
//! The agent reads `@message`, `@level` and `@timestamp` as strings without looking and falls over when they are not, and takes a
//! timestamp for one only with exactly six digits of a second. Write errors are ignored: the agent may be gone, the plugin stays.
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

/// hclog breaks lines beyond 64 KiB to pieces; escaping can make six bytes of one.
const LONGEST_MESSAGE: usize = 8 * 1024;

pub(crate) fn debug(message: &str, pairs: &[(&str, &str)]) {
    write("debug", message, pairs);
}

pub(crate) fn info(message: &str, pairs: &[(&str, &str)]) {
    write("info", message, pairs);
}

pub(crate) fn warn(message: &str, pairs: &[(&str, &str)]) {
    write("warn", message, pairs);
}

pub(crate) fn error(message: &str, pairs: &[(&str, &str)]) {
    write("error", message, pairs);
}

/// Makes a panic one line of the log as well; without this it would be several, at the lowest level.
pub(crate) fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let what = text
            .or(payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("without a message");
        error("panicked", &[("what", what), ("place", &place)]);
    }));
}

fn write(level: &str, message: &str, pairs: &[(&str, &str)]) {
    let line = line(level, message, pairs, SystemTime::now());
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

fn line(level: &str, message: &str, pairs: &[(&str, &str)], now: SystemTime) -> String {
    let mut object = Map::new();
    for (key, value) in pairs {
        object.insert((*key).to_owned(), Value::from(shorten(value)));
    }
    // Last, so that no pair takes their place.
    for (key, value) in [
        ("@level", level),
        ("@message", shorten(message)),
        ("@timestamp", &timestamp(now)),
    ] {
        object.insert(key.to_owned(), Value::from(value));
    }
    format!("{}\n", Value::Object(object))
}

/// As much of the beginning as fits.
pub(crate) fn shorten(text: &str) -> &str {
    let fits = |end: &usize| text.is_char_boundary(*end);
    &text[..(0..=LONGEST_MESSAGE.min(text.len()))
        .rev()
        .find(fits)
        .unwrap_or(0)]
}

fn timestamp(now: SystemTime) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second, micro) = (
        second / 3600,
        second / 60 % 60,
        second % 60,
        since.subsec_micros(),
    );
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}Z")
}

/// Year, month and day of a day since 1970-01-01, in the Gregorian calendar: years are counted from March, so that the leap day is
/// their last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64, micros: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros)
    }

    #[test]
    fn timestamps_have_exactly_six_digits() {
        assert_eq!(timestamp(at(0, 0)), "1970-01-01T00:00:00.000000Z");
        assert_eq!(timestamp(at(951_782_400, 7)), "2000-02-29T00:00:00.000007Z");
        assert_eq!(
            timestamp(at(1_767_225_599, 999_999)),
            "2025-12-31T23:59:59.999999Z"
        );
        assert_eq!(
            timestamp(at(4_107_542_400, 120_000)),
            "2100-03-01T00:00:00.120000Z"
        );
    }

    #[test]
    fn a_line_is_one_object_of_strings() {
        let line = line(
            "warn",
            "two\nlines",
            &[("id", "1"), ("@message", "stolen")],
            at(0, 0),
        );
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1);
        let object: Map<String, Value> = serde_json::from_str(&line).unwrap();
        assert!(object.values().all(Value::is_string));
        assert_eq!(object["@message"], "two\nlines");
        assert_eq!(object["@level"], "warn");
        assert_eq!(object["id"], "1");
    }

    #[test]
    fn a_long_message_stays_below_the_hosts_buffer() {
        let line = line("info", &"\u{1}".repeat(1 << 20), &[], at(0, 0));
        assert!(line.len() < 64 * 1024);
    }
}
