//! Go's regular expressions, by those of the `regex` crate: both take linear time.
use std::collections::BTreeMap;

use regex::bytes::{Captures, Regex, RegexBuilder};

use super::super::go::{Buffer, MAX_OUTPUT, TOO_LARGE};
use super::Rendering;

/// What one expression may take when it is compiled.
const MAX_SIZE: usize = 1 << 20;
/// How many are kept.
const MOST_KEPT: usize = 128;

/// Expressions that are compiled.
pub(super) type Expressions = BTreeMap<String, Regex>;

impl Rendering<'_> {
    /// An expression, compiled if the template has not used it just now.
    pub(super) fn expression(&mut self, pattern: &str) -> Result<&Regex, String> {
        let known = match self.expressions.remove(pattern) {
            Some(known) => known,
            None => {
                self.budget.spend(MAX_SIZE)?;
                compile(pattern)?
            }
        };
        if self.expressions.len() >= MOST_KEPT {
            self.expressions.clear();
        }
        Ok(self.expressions.entry(pattern.to_owned()).or_insert(known))
    }
}

pub(super) fn replace_all(regex: &Regex, by: &[u8], text: &[u8]) -> Result<Vec<u8>, String> {
    let references = by.iter().filter(|byte| **byte == b'$').count();
    let mut to = Buffer::default();
    let mut end = 0;
    for found in regex.captures_iter(text) {
        let whole = found.get_match();
        to.push(&text[end..whole.start()]);
        if references.saturating_mul(whole.len()) > MOST_EXPANDED {
            return Err(TOO_LARGE.to_owned());
        }
        to.push(expanded(&found, by));
        end = whole.end();
        if to.is_over() {
            break;
        }
    }
    to.push(&text[end..]);
    to.finish()
}

/// What one replacement may come to, if each of its references stood for the whole match.
const MOST_EXPANDED: usize = 4 * MAX_OUTPUT;

fn expanded(found: &Captures<'_>, by: &[u8]) -> Vec<u8> {
    let mut expanded = Vec::new();
    found.expand(by, &mut expanded);
    expanded
}

fn compile(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(&ascii_classes(pattern))
        .size_limit(MAX_SIZE)
        .build();
    built.map_err(|error| format!("error parsing regexp: {error}").replace('\n', " "))
}

/// Go's `\d`, `\w`, `\s` and `\b` are those of ASCII.
fn ascii_classes(pattern: &str) -> String {
    let mut ascii = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let mut inside = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped) => ascii += &class(escaped, inside),
                None => ascii.push('\\'),
            },
            '[' if !inside => {
                inside = true;
                ascii.push('[');
                for first in ['^', ']'] {
                    if chars.peek() == Some(&first) {
                        chars.next();
                        ascii += if first == ']' { "\\]" } else { "^" };
                    }
                }
            }
            '[' if chars.peek() == Some(&':') => {
                // A class by name, which closes by itself.
                ascii.push('[');
                for c in chars.by_ref() {
                    ascii.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '[' => ascii += "\\[",
            // What the crate takes for operations between sets are plain characters to Go.
            '&' | '~' if inside => {
                ascii.push('\\');
                ascii.push(c);
            }
            ']' if inside => {
                inside = false;
                ascii.push(']');
            }
            _ => ascii.push(c),
        }
    }
    ascii
}

fn class(escaped: char, inside: bool) -> String {
    let set = match escaped.to_ascii_lowercase() {
        'd' => "0-9",
        'w' => "0-9A-Za-z_",
        's' => "\\t\\n\\f\\r ",
        'b' if !inside => return format!("(?-u:\\{escaped})"),
        _ => return format!("\\{escaped}"),
    };
    match (escaped.is_ascii_uppercase(), inside) {
        (false, true) => set.to_owned(),
        (true, _) => format!("[^{set}]"),
        (false, false) => format!("[{set}]"),
    }
}
