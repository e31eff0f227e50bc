//! The time, in Go's layouts.
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::super::go::Value;
use super::word;

pub(super) fn timestamp(args: &[Value]) -> Result<Value, String> {
    let now = Timestamp::now();
    match args.len() {
        0 => Ok(Value::text(format(now, "2006-01-02T15:04:05Z07:00"))),
        1 if word(args, 0) == "unix" => Ok(Value::text(now.as_second().to_string())),
        1 => Ok(Value::text(format(now, &word(args, 0)))),
        count => Err(format!(
            "timestamp: wrong number of arguments, expected 0 or 1, but got {count}"
        )),
    }
}

/// Go's layout elements and what `strftime` calls them; of two with the same beginning the longer one is first.
const ELEMENTS: &[(&str, &str)] = &[
    ("January", "%B"),
    ("Jan", "%b"),
    ("Monday", "%A"),
    ("Mon", "%a"),
    ("MST", "UTC"),
    ("2006", "%Y"),
    ("-07:00:00", "+00:00:00"),
    ("-07:00", "+00:00"),
    ("-070000", "+000000"),
    ("-0700", "+0000"),
    ("-07", "+00"),
    ("Z07:00:00", "Z"),
    ("Z07:00", "Z"),
    ("Z070000", "Z"),
    ("Z0700", "Z"),
    ("Z07", "Z"),
    ("002", "%j"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("15", "%H"),
    ("_2006", "_%Y"),
    ("_2", "%_d"),
    ("PM", "%p"),
    ("pm", "%P"),
    ("1", "%-m"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("4", "%-M"),
    ("5", "%-S"),
];

fn format(at: Timestamp, layout: &str) -> String {
    let time = at.to_zoned(TimeZone::UTC);
    let mut text = String::new();
    let mut rest = layout;
    while let Some(c) = rest.chars().next() {
        if let Some(behind) = fraction(rest, &time, &mut text) {
            rest = behind;
            continue;
        }
        match ELEMENTS
            .iter()
            .find(|(element, _)| rest.starts_with(element))
        {
            Some((element, strftime)) => {
                text += &time.strftime(strftime).to_string();
                rest = &rest[element.len()..];
            }
            None => {
                text.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    text
}

/// `.000` and `.999`: parts of a second, the latter without zeros at the end.
fn fraction<'l>(layout: &'l str, time: &Zoned, to: &mut String) -> Option<&'l str> {
    let digits = layout.strip_prefix(['.', ','])?;
    let kind = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let behind = digits.trim_start_matches(kind);
    let count = digits.len() - behind.len();
    if behind.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let nanoseconds = format!("{:09}", time.subsec_nanosecond());
    let mut shown = nanoseconds[..count.min(9)].to_owned();
    if kind == '9' {
        shown.truncate(shown.trim_end_matches('0').len());
    }
    if !shown.is_empty() {
        to.push_str(&layout[..1]);
        to.push_str(&shown);
    }
    Some(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_gos() {
        let at: Timestamp = "2026-03-05T07:08:09.120Z".parse().unwrap_or_default();
        for (layout, expected) in [
            ("2006-01-02T15:04:05Z07:00", "2026-03-05T07:08:09Z"),
            (
                "Mon Jan _2 15:04:05 MST 2006",
                "Thu Mar  5 07:08:09 UTC 2026",
            ),
            (
                "Monday, 02-Jan-06 3:04PM -0700",
                "Thursday, 05-Mar-26 7:08AM +0000",
            ),
            ("15:04:05.000 15:04:05.999", "07:08:09.120 07:08:09.12"),
            ("1/2/06 002", "3/5/26 064"),
        ] {
            assert_eq!(format(at, layout), expected, "{layout}");
        }
    }
}
