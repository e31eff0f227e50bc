//! Text. What counts as one character is what a reader takes for one: a grapheme cluster.

use regex::{Regex, RegexBuilder};
use unicode_segmentation::UnicodeSegmentation;

use super::{Function, fixed, number, string, strings, variadic};
use crate::call::{Call, Failure, failed, text, whole};
use crate::cty::{Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("chomp", &[string("str")], |of, _| {
        Ok(Value::text(text(&of[0]).trim_end_matches(['\n', '\r'])))
    }),
    fixed("indent", &[number("spaces"), string("str")], indent),
    fixed("lower", &[string("str")], |of, _| {
        Ok(Value::text(lower(text(&of[0]))))
    }),
    fixed("upper", &[string("str")], |of, _| {
        Ok(Value::text(upper(text(&of[0]))))
    }),
    fixed("title", &[string("str")], |of, _| {
        Ok(Value::text(title(text(&of[0]))))
    }),
    fixed(
        "replace",
        &[string("str"), string("substr"), string("replace")],
        replace,
    ),
    fixed(
        "regex_replace",
        &[string("str"), string("pattern"), string("replace")],
        regex_replace,
    ),
    fixed("reverse", &[string("str")], |of, _| Ok(reversed(&of[0]))),
    fixed("strrev", &[string("str")], |of, _| Ok(reversed(&of[0]))),
    fixed("sort", &[strings("list")], sort),
    fixed("split", &[string("separator"), string("str")], split),
    fixed("strlen", &[string("str")], |of, _| {
        Ok(Value::count(text(&of[0]).graphemes(true).count()))
    }),
    fixed(
        "substr",
        &[string("str"), number("offset"), number("length")],
        substr,
    ),
    fixed("trim", &[string("str"), string("cutset")], trim),
    fixed("trimprefix", &[string("str"), string("prefix")], |of, _| {
        let whole = text(&of[0]);
        Ok(Value::text(
            whole.strip_prefix(text(&of[1])).unwrap_or(whole),
        ))
    }),
    fixed("trimspace", &[string("str")], |of, _| {
        Ok(Value::text(text(&of[0]).trim()))
    }),
    fixed("trimsuffix", &[string("str"), string("suffix")], |of, _| {
        let whole = text(&of[0]);
        Ok(Value::text(
            whole.strip_suffix(text(&of[1])).unwrap_or(whole),
        ))
    }),
    variadic("join", &[string("separator")], strings("lists"), join),
];

fn indent(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let spaces = usize::try_from(whole(&of[0], 0)?.max(0)).unwrap_or(usize::MAX);
    let written = text(&of[1]);
    call.spend(spaces.saturating_mul(written.matches('\n').count() + 1))?;
    let between = format!("\n{}", " ".repeat(spaces));
    Ok(Value::text(written.replace('\n', &between)))
}

/// Letter by letter: one never becomes two.
fn lower(of: &str) -> String {
    of.chars().map(|c| only(c.to_lowercase(), c)).collect()
}

fn upper(of: &str) -> String {
    of.chars().map(|c| only(c.to_uppercase(), c)).collect()
}

fn only(mut letters: impl Iterator<Item = char>, otherwise: char) -> char {
    match (letters.next(), letters.next()) {
        (Some(letter), None) => letter,
        _ => otherwise,
    }
}

/// The first letter of each word; a word ends at whatever is no letter, digit or underscore.
fn title(of: &str) -> String {
    let mut before = ' ';
    let letters = of.chars().map(|c| {
        let parted = if before.is_ascii() {
            !(before.is_ascii_alphanumeric() || before == '_')
        } else {
            before.is_whitespace()
        };
        before = c;
        if parted { only(c.to_uppercase(), c) } else { c }
    });
    letters.collect()
}

fn replace(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let [whole, old, new] = [&of[0], &of[1], &of[2]].map(text);
    let count = if old.is_empty() {
        whole.chars().count() + 1
    } else {
        whole.matches(old).count()
    };
    call.spend(count.saturating_mul(new.len()))?;
    Ok(Value::text(whole.replace(old, new)))
}

/// Bytes that are looked at in the time of a step.
const LOOKED_AT: usize = 64;
/// What a compiled pattern may take, and the steps that it counts for: most patterns are small, and a few `\w` make one large.
const PATTERNS: [(usize, usize); 2] = [(1 << 18, 1 << 14), (1 << 20, 1 << 16)];

/// Compiles a pattern, which takes longer than anything else that so few letters can ask for.
pub(super) fn compiled(
    pattern: &str,
    call: &mut Call<'_, '_>,
) -> Result<Result<Regex, regex::Error>, Failure> {
    let mut compiled = Err(regex::Error::CompiledTooBig(0));
    for (size, steps) in PATTERNS {
        if matches!(compiled, Err(regex::Error::CompiledTooBig(_))) {
            call.spend(steps + pattern.len())?;
            compiled = RegexBuilder::new(pattern).size_limit(size).build();
        }
    }
    Ok(compiled)
}

fn regex_replace(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let [whole, pattern, new] = [&of[0], &of[1], &of[2]].map(text);
    let pattern = match compiled(pattern, call)? {
        Ok(pattern) => pattern,
        Err(error) => {
            let words = error.to_string();
            let last = words.lines().last().unwrap_or_default();
            return failed(format!(
                "error parsing regexp: {}",
                last.trim_start_matches("error: ")
            ));
        }
    };
    let mut replaced = String::new();
    let mut end = 0;
    for found in pattern.captures_iter(whole) {
        let Some(all) = found.get(0) else { continue };
        // Each reference may put in as much as was found, and to find it all the rest may have been looked through.
        let looked_at = (whole.len() - all.start()) / LOOKED_AT;
        let put_in = new.len() + new.matches('$').count().saturating_mul(all.len());
        call.spend(put_in.saturating_add(looked_at + 1))?;
        replaced += &whole[end..all.start()];
        found.expand(new, &mut replaced);
        end = all.end();
    }
    replaced += &whole[end..];
    Ok(Value::String(replaced))
}

fn reversed(of: &Value) -> Value {
    Value::String(text(of).graphemes(true).rev().collect())
}

fn sort(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let items = of[0].items().unwrap_or_default();
    if let Some(at) = items.iter().position(Value::is_null) {
        return failed(format!(
            "given list element {at} is null; a null string cannot be sorted"
        ));
    }
    let mut sorted: Vec<String> = items.iter().map(|item| text(item).to_owned()).collect();
    sorted.sort();
    Ok(Value::texts(sorted))
}

fn split(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let [separator, whole] = [&of[0], &of[1]].map(text);
    call.spend(whole.len().saturating_mul(8))?;
    let parts: Vec<String> = if separator.is_empty() {
        whole.chars().map(String::from).collect()
    } else {
        whole.split(separator).map(str::to_owned).collect()
    };
    Ok(Value::List(
        Type::String,
        parts.into_iter().map(Value::String).collect(),
    ))
}

fn substr(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let (offset, length) = (whole(&of[1], 1)?, whole(&of[2], 2)?);
    let characters: Vec<&str> = text(&of[0]).graphemes(true).collect();
    let count = i64::try_from(characters.len()).unwrap_or(i64::MAX);
    let start = if offset < 0 { offset + count } else { offset };
    let skipped = usize::try_from(start.max(0)).unwrap_or(usize::MAX);
    let taken = usize::try_from(length).unwrap_or(usize::MAX);
    let part = characters.into_iter().skip(skipped).take(taken);
    Ok(Value::String(part.collect()))
}

fn trim(of: Vec<Value>, _: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let cut: Vec<char> = text(&of[1]).chars().collect();
    Ok(Value::text(text(&of[0]).trim_matches(cut.as_slice())))
}

fn join(of: Vec<Value>, call: &mut Call<'_, '_>) -> Result<Value, Failure> {
    let separator = text(&of[0]);
    let lists = &of[1..];
    if lists.is_empty() {
        return failed("at least one list is required");
    }
    let mut parts = Vec::new();
    for (at, list) in lists.iter().enumerate() {
        for (index, item) in list.items().unwrap_or_default().iter().enumerate() {
            if item.is_null() {
                let of_list = if lists.len() > 1 {
                    format!(" of list {}", at + 1)
                } else {
                    String::new()
                };
                let why =
                    format!("element {index}{of_list} is null; cannot concatenate null values");
                return Err(Failure::Argument(at + 1, why));
            }
            parts.push(text(item));
        }
    }
    call.spend(parts.len().saturating_mul(separator.len()))?;
    Ok(Value::String(parts.join(separator)))
}
