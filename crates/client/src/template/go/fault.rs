//! A mistake in a template, and its place.
use std::ops::Range;

/// A mistake and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Bytes of the template's text.
    pub(crate) at: Range<usize>,
    /// What is wrong.
    pub(crate) what: String,
}

impl Fault {
    pub(crate) fn new(at: &Range<usize>, what: impl Into<String>) -> Fault {
        Fault {
            at: at.clone(),
            what: what.into(),
        }
    }

    /// The line, counted from 1, and the byte of that line where it begins.
    pub(crate) fn position(&self, text: &str) -> (usize, usize) {
        let mut start = self.at.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line = before.matches('\n').count() + 1;
        let column = start - before.rfind('\n').map_or(0, |newline| newline + 1);
        (line, column)
    }
}
