//! A mistake, its place, and how both are written on one line.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::Span;
use crate::codes::Code;

/// A text that is not the file that was parsed: a file of variables, or one of the command line.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name in messages.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// Not the text: it may be long, and it may be a secret.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A mistake and its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable, `E1001`.
    pub code: &'static str,
    /// `Unsupported argument`.
    pub summary: String,
    /// One or two sentences, with the way out.
    pub detail: String,
    /// Bytes of the file.
    pub span: Span,
    /// The block it is in: `task "python" config`.
    pub context: Option<String>,
    /// What to write instead, if that is clear.
    pub fix: Option<String>,
    /// Where it is, if not in the file that was parsed.
    #[serde(skip)]
    pub source: Option<Arc<Source>>,
}

impl Diagnostic {
    pub(crate) fn new(code: Code, span: Span, detail: impl Into<String>) -> Self {
        Self {
            code: code.id,
            summary: code.summary.to_owned(),
            detail: printable(&detail.into()),
            span,
            context: None,
            fix: None,
            source: None,
        }
    }

    pub(crate) fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }

    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// The name and the text of where it is, given those of the file that was parsed.
    pub fn place_in<'a>(&'a self, file: &'a str, text: &'a str) -> (&'a str, &'a str) {
        match &self.source {
            Some(source) => (&source.name, &source.text),
            None => (file, text),
        }
    }

    /// Finds the line and the column of the first byte, both counted from 1, columns in characters.
    pub fn position(&self, text: &str) -> (usize, usize) {
        position(self.place_in("", text).1, self.span.start)
    }

    /// Finds the line and the column just behind the last byte.
    pub fn end_position(&self, text: &str) -> (usize, usize) {
        position(
            self.place_in("", text).1,
            self.span.end.max(self.span.start),
        )
    }

    /// Writes the mistake as Nomad does: `file:line,column-column: Summary; Detail`.
    pub fn one_line<'a>(&'a self, file: &'a str, text: &'a str) -> OneLine<'a> {
        OneLine {
            diagnostic: self,
            file,
            text,
        }
    }
}

/// The displayed form of [`Diagnostic::one_line`].
#[derive(Debug, Clone, Copy)]
pub struct OneLine<'a> {
    diagnostic: &'a Diagnostic,
    file: &'a str,
    text: &'a str,
}

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic {
            summary, detail, ..
        } = self.diagnostic;
        let (file, text) = self.diagnostic.place_in(self.file, self.text);
        let place = place(file, text, &self.diagnostic.span);
        write!(f, "{place}: {summary}; {detail}")
    }
}

/// `file:line,column-column`, or `file:line,column-line,column` for more than one line.
pub fn place(file: &str, text: &str, span: &Span) -> String {
    let (line, column) = position(text, span.start);
    let (end_line, end_column) = position(text, span.end.max(span.start));
    if line == end_line {
        format!("{file}:{line},{column}-{end_column}")
    } else {
        format!("{file}:{line},{column}-{end_line},{end_column}")
    }
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..floor_char(text, offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    // A byte order mark takes no column in any editor.
    let column = before[line_start..].trim_start_matches('\u{feff}');
    (line, column.chars().count() + 1)
}

/// A text without what would break its line or command the terminal: a job file says what it likes.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            printable.extend(c.escape_default());
        } else {
            printable.push(c);
        }
    }
    printable
}

/// The nearest character boundary at or before `offset`.
pub(crate) fn floor_char(text: &str, offset: usize) -> usize {
    let mut floor = offset.min(text.len());
    while !text.is_char_boundary(floor) {
        floor -= 1;
    }
    floor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::INVALID_SYNTAX;

    fn at(span: Span) -> Diagnostic {
        Diagnostic::new(INVALID_SYNTAX, span, "Nonsense.")
    }

    #[test]
    fn columns_are_characters() {
        let text = "a\näöü = 1\n";
        let place = text.find("= 1").unwrap_or_default();
        assert_eq!(at(place..place + 1).position(text), (2, 5));
        assert_eq!(at(0..0).position(""), (1, 1));
    }

    #[test]
    fn a_byte_order_mark_takes_no_column() {
        assert_eq!(at(3..4).position("\u{feff}a = 1"), (1, 1));
        assert_eq!(at(0..4).position("\u{feff}a = 1"), (1, 1));
    }

    #[test]
    fn a_place_outside_the_text_is_its_end() {
        assert_eq!(at(70..80).position("ab\n"), (2, 1));
        assert_eq!(at(1..1).position("é"), (1, 1));
    }

    #[test]
    fn one_line_has_the_form_of_nomad() {
        let text = "job \"a\" {\n  foo = 1\n}\n";
        let one = at(12..15).one_line("a.hcl", text).to_string();
        assert_eq!(one, "a.hcl:2,3-6: Invalid syntax; Nonsense.");
        let two = at(8..15).one_line("a.hcl", text).to_string();
        assert_eq!(two, "a.hcl:1,9-2,6: Invalid syntax; Nonsense.");
    }
}
