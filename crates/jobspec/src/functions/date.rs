//! Dates and times.

use super::timestamp::{self, Moment};
use super::{Function, fixed, string};
use crate::call::{Call, Failure, failed, text};
use crate::cty::Value;
use crate::duration;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed(
        "formatdate",
        &[string("format"), string("time")],
        formatdate,
    ),
    fixed(
        "timeadd",
        &[string("timestamp"), string("duration")],
        timeadd,
    ),
];

fn timeadd(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let moment = timestamp::parse(text(&of[0]))?;
    let written = text(&of[1]);
    let nanoseconds = match duration::parse(written) {
        Ok(nanoseconds) => nanoseconds,
        Err(_) => return failed(format!("time: invalid duration {written:?}")),
    };
    match moment.plus(nanoseconds) {
        Some(later) => Ok(Value::String(later.rfc3339())),
        None => failed("the result is no year from 0 to 9999"),
    }
}

fn formatdate(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let moment = timestamp::parse(text(&of[1])).map_err(|why| Failure::Argument(1, why))?;
    let (mut rest, mut out) = (text(&of[0]), String::new());
    // No part comes to more than the name of a month.
    call.spend(rest.len().saturating_mul(9))?;
    while !rest.is_empty() {
        let token = token(rest).map_err(|why| Failure::Argument(0, why))?;
        rest = &rest[token.len()..];
        out += &match token.chars().next() {
            Some('\'') => unquoted(token),
            Some(c) if c.is_ascii_alphabetic() => {
                let shown = verb(token, moment);
                shown.map_err(|why| {
                    Failure::Argument(0, format!("invalid date format verb {token:?}{why}"))
                })?
            }
            _ => token.to_owned(),
        };
    }
    Ok(Value::String(out))
}

/// A quoted text, a run of one letter, or whatever is between these.
fn token(rest: &str) -> Result<&str, String> {
    let first = rest.chars().next().unwrap_or_default();
    if first == '\'' {
        return quoted(rest).ok_or_else(|| "unterminated literal '".to_owned());
    }
    let ends = |c: char| {
        if first.is_ascii_alphabetic() {
            c != first
        } else {
            c == '\'' || c.is_ascii_alphabetic()
        }
    };
    Ok(&rest[..rest.find(ends).unwrap_or(rest.len())])
}

/// Up to the closing quote; two of them are one quote inside.
fn quoted(rest: &str) -> Option<&str> {
    if rest.starts_with("''") {
        return Some(&rest[..2]);
    }
    let mut at = 1;
    loop {
        at += rest.get(at..)?.find('\'')? + 1;
        if !rest[at..].starts_with('\'') {
            return Some(&rest[..at]);
        }
        at += 1;
    }
}

fn unquoted(token: &str) -> String {
    if token == "''" {
        return "'".to_owned();
    }
    token[1..token.len() - 1].replace("''", "'")
}

fn verb(token: &str, moment: Moment) -> Result<String, String> {
    let clock = moment.clock;
    let (hour12, half) = (
        clock.strftime("%-I").to_string(),
        if clock.hour() < 12 { "AM" } else { "PM" },
    );
    let format = match token {
        "YY" => "%y",
        "YYYY" => "%Y",
        "M" => "%-m",
        "MM" => "%m",
        "MMM" => "%b",
        "MMMM" => "%B",
        "D" => "%-d",
        "DD" => "%d",
        "EEE" => "%a",
        "EEEE" => "%A",
        "h" => "%-H",
        "hh" => "%H",
        "H" => return Ok(hour12),
        "HH" => return Ok(format!("{hour12:0>2}")),
        "AA" => return Ok(half.to_owned()),
        "aa" => return Ok(half.to_lowercase()),
        "m" => "%-M",
        "mm" => "%M",
        "s" => "%-S",
        "ss" => "%S",
        "Z" if moment.offset == 0 => return Ok("Z".to_owned()),
        "ZZZ" if moment.offset == 0 => return Ok("UTC".to_owned()),
        "Z" | "ZZZZZ" => return Ok(moment.offset(":")),
        "ZZZ" | "ZZZZ" => return Ok(moment.offset("")),
        other => return Err(expected(other)),
    };
    Ok(clock.strftime(format).to_string())
}

/// What could stand instead of a run of that letter.
fn expected(token: &str) -> String {
    let choices = match token.chars().next() {
        Some('Y') => "year must either be \"YY\" or \"YYYY\"",
        Some('M') => "month must be \"M\", \"MM\", \"MMM\", or \"MMMM\"",
        Some('D') => "day of month must either be \"D\" or \"DD\"",
        Some('E') => "day of week must either be \"EEE\" or \"EEEE\"",
        Some('h') => "24-hour must either be \"h\" or \"hh\"",
        Some('H') => "12-hour must either be \"H\" or \"HH\"",
        Some('A') => "must be \"AA\"",
        Some('a') => "must be \"aa\"",
        Some('m') => "minute must either be \"m\" or \"mm\"",
        Some('s') => "second must either be \"s\" or \"ss\"",
        Some('Z') => "timezone must be Z, ZZZZ, or ZZZZZ",
        _ => return String::new(),
    };
    format!(": {choices}")
}
