//! `format` and `formatlist`: the verbs of Go's `fmt`, as far as HCL has them.

use unicode_segmentation::UnicodeSegmentation;

use super::verb::{Flags, Part, Parts, Verb};
use super::{Function, json, nullable, string, variadic};
use crate::call::{Call, Failure, failed, text};
use crate::convert;
use crate::cty::{self, Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    variadic(
        "format",
        &[string("format")],
        nullable("args"),
        |of, call| formatted(text(&of[0]), &of[1..], call).map(Value::String),
    ),
    variadic(
        "formatlist",
        &[string("format")],
        nullable("args"),
        formatlist,
    ),
];

fn formatted(
    format: &str,
    arguments: &[Value],
    call: &mut Call<'_, '_>,
) -> Result<String, Failure> {
    let mut parts = Parts::of(format);
    let (mut out, mut highest) = (String::new(), 0);
    while let Some(part) = parts.next_part().map_err(Failure::Call)? {
        match part {
            Part::Literal(c) => out.push(c),
            Part::Verb(verb) => {
                highest = highest.max(verb.argument);
                let Some(argument) = arguments.get(verb.argument - 1) else {
                    let Verb {
                        raw,
                        offset,
                        argument,
                        ..
                    } = &verb;
                    let count = arguments.len();
                    return failed(format!(
                        "not enough arguments for {raw:?} at {offset}: need index {argument} but have {count} total"
                    ));
                };
                call.spend(
                    argument.weight() + verb.width.unwrap_or(0) + verb.precision.unwrap_or(0),
                )?;
                out += &one(&verb, argument).map_err(Failure::Call)?;
            }
        }
    }
    call.spend(out.len())?;
    if highest < arguments.len() {
        let why = if highest == 0 {
            "too many arguments; no verbs in format string".to_owned()
        } else {
            format!("too many arguments; only {highest} used by format string")
        };
        return Err(Failure::Argument(highest + 1, why));
    }
    Ok(out)
}

fn one(verb: &Verb, argument: &Value) -> Result<String, String> {
    let Verb {
        raw,
        offset,
        letter,
        ..
    } = verb;
    if *letter != 'v' && argument.is_null() {
        return Err(format!(
            "unsupported value for {raw:?} at {offset}: null value cannot be formatted"
        ));
    }
    let as_type = |kind| {
        cty::to_primitive(argument.clone(), &kind)
            .map_err(|why| format!("unsupported value for {raw:?} at {offset}: {why}"))
    };
    match letter {
        'v' => Ok(padded(verb, as_is(verb, argument))),
        't' => Ok(convert::to_string(&as_type(Type::Bool)?).unwrap_or_default()),
        'b' | 'd' | 'o' | 'x' | 'X' => integer(verb, crate::call::number(&as_type(Type::Number)?)),
        'e' | 'E' | 'f' | 'g' | 'G' => {
            Ok(float(verb, crate::call::number(&as_type(Type::Number)?)))
        }
        's' | 'q' => Ok(quoted_or_not(verb, text(&as_type(Type::String)?))),
        other => Err(format!(
            "unsupported format verb {other:?} in {raw:?} at offset {offset}"
        )),
    }
}

fn as_is(verb: &Verb, argument: &Value) -> String {
    match argument {
        Value::String(text) if !verb.flags.sharp => text.clone(),
        Value::Number(number) if !verb.flags.sharp => general(*number, None, Case::Lower),
        other => json::encoded(other),
    }
}

fn quoted_or_not(verb: &Verb, text: &str) -> String {
    let kept: String = match verb.precision {
        Some(most @ 1..) => text.graphemes(true).take(most).collect(),
        _ => text.to_owned(),
    };
    if verb.letter == 'q' {
        padded(verb, json::encoded(&Value::String(kept)))
    } else {
        padded(verb, kept)
    }
}

fn padded(verb: &Verb, text: String) -> String {
    let missing = verb
        .width
        .unwrap_or(0)
        .saturating_sub(text.graphemes(true).count());
    let padding = if verb.flags.zero { "0" } else { " " }.repeat(missing);
    if verb.flags.minus {
        text + &padding
    } else {
        padding + &text
    }
}

fn integer(verb: &Verb, number: f64) -> Result<String, String> {
    if number.fract() != 0.0 {
        return Err(format!(
            "unsupported value for {:?} at {}: an integer is required",
            verb.raw, verb.offset
        ));
    }
    // Numbers are below 2^53, so that the conversion loses nothing.
    let magnitude = number.abs() as u64;
    let (digits, prefix) = match verb.letter {
        'b' => (format!("{magnitude:b}"), "0b"),
        'o' => (format!("{magnitude:o}"), "0"),
        'x' => (format!("{magnitude:x}"), "0x"),
        'X' => (format!("{magnitude:X}"), "0X"),
        _ => (magnitude.to_string(), ""),
    };
    let prefix = if verb.flags.sharp { prefix } else { "" };
    let zeros = "0".repeat(verb.precision.unwrap_or(0).saturating_sub(digits.len()));
    let sign = sign(number, verb.flags);
    let flags = Flags {
        zero: verb.flags.zero && verb.precision.is_none(),
        ..verb.flags
    };
    Ok(signed(
        &format!("{sign}{prefix}"),
        &format!("{zeros}{digits}"),
        verb.width,
        flags,
    ))
}

fn sign(number: f64, flags: Flags) -> &'static str {
    match (number < 0.0, flags.plus, flags.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    }
}

/// Zeros go between the sign and the digits, spaces around both.
fn signed(sign: &str, digits: &str, width: Option<usize>, flags: Flags) -> String {
    let missing = width.unwrap_or(0).saturating_sub(sign.len() + digits.len());
    match (flags.minus, flags.zero) {
        (true, _) => format!("{sign}{digits}{}", " ".repeat(missing)),
        (false, true) => format!("{sign}{}{digits}", "0".repeat(missing)),
        (false, false) => format!("{}{sign}{digits}", " ".repeat(missing)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Lower,
    Upper,
}

fn float(verb: &Verb, number: f64) -> String {
    let magnitude = number.abs();
    let digits = match verb.letter {
        'e' => scientific(magnitude, Some(verb.precision.unwrap_or(6)), Case::Lower),
        'E' => scientific(magnitude, Some(verb.precision.unwrap_or(6)), Case::Upper),
        'f' => format!("{magnitude:.*}", verb.precision.unwrap_or(6)),
        'G' => general(magnitude, verb.precision, Case::Upper),
        _ => general(magnitude, verb.precision, Case::Lower),
    };
    signed(sign(number, verb.flags), &digits, verb.width, verb.flags)
}

/// `1.5e+00`.
fn scientific(number: f64, precision: Option<usize>, case: Case) -> String {
    let written = match precision {
        Some(precision) => format!("{number:.precision$e}"),
        None => format!("{number:e}"),
    };
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (letter, sign) = (
        if case == Case::Upper { 'E' } else { 'e' },
        if exponent < 0 { '-' } else { '+' },
    );
    format!("{mantissa}{letter}{sign}{:02}", exponent.abs())
}

/// The shorter of both ways to write a number; without a precision, with as many digits as it has.
fn general(number: f64, precision: Option<usize>, case: Case) -> String {
    let shortest = format!("{number:e}");
    let digits = shortest
        .split('e')
        .next()
        .unwrap_or_default()
        .bytes()
        .filter(u8::is_ascii_digit)
        .count();
    let kept = precision.map(|precision| precision.max(1));
    let written = match kept {
        Some(kept) => format!("{number:.*e}", kept - 1),
        None => shortest,
    };
    let exponent: i32 = written
        .split_once('e')
        .and_then(|(_, exponent)| exponent.parse().ok())
        .unwrap_or_default();
    let most = match kept {
        None => 6,
        Some(kept)
            if kept > digits && i32::try_from(digits).is_ok_and(|digits| digits > exponent) =>
        {
            digits
        }
        Some(kept) => kept,
    };
    if exponent < -4 || i32::try_from(most).is_ok_and(|most| exponent >= most) {
        return scientific(number, kept.map(|kept| kept.min(digits) - 1), case);
    }
    match kept {
        None => number.to_string(),
        Some(kept) => {
            let behind =
                usize::try_from(i32::try_from(kept.min(digits)).unwrap_or(0) - 1 - exponent)
                    .unwrap_or(0);
            format!("{number:.behind$}")
        }
    }
}

/// Lists are gone over side by side; anything else stands in each result.
fn formatlist(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let (format, arguments) = (text(&of[0]), &of[1..]);
    let mut count: Option<(usize, usize)> = None;
    for (at, argument) in arguments.iter().enumerate() {
        let Some(items) = argument.items() else {
            continue;
        };
        match count {
            None => count = Some((items.len(), at)),
            Some((length, first)) if length != items.len() => {
                let (at, got, first) = (at + 1, items.len(), first + 1);
                let why = format!(
                    "argument {at} has length {got}, which is inconsistent with argument {first} of length {length}"
                );
                return Err(Failure::Argument(at, why));
            }
            Some(_) => {}
        }
    }
    let mut results = Vec::new();
    for at in 0..count.map_or(1, |(length, _)| length) {
        let row: Vec<Value> = arguments
            .iter()
            .map(|argument| {
                argument
                    .items()
                    .map_or(argument, |items| &items[at])
                    .clone()
            })
            .collect();
        call.spend(row.iter().map(Value::weight).sum())?;
        let result = formatted(format, &row, call).map_err(|failure| match failure {
            Failure::Call(why) if count.is_some() => {
                Failure::Call(format!("error on format iteration {at}: {why}"))
            }
            other => other,
        });
        results.push(result?);
    }
    Ok(Value::texts(results))
}
