//! Text to syntax tree.

use std::borrow::Cow;

use hcl_edit::parser;
use hcl_edit::structure::Body;

use crate::codes::*;
use crate::complaint;
use crate::diagnostic::Diagnostic;

/// More than any file of a person, and little enough to answer for in time and memory.
pub const MAX_BYTES: usize = 16 << 20;

/// Parses a whole file.
pub(crate) fn parse(text: &str) -> Result<Body, Box<Diagnostic>> {
    if text.len() > MAX_BYTES {
        return Err(Box::new(too_large()));
    }
    let text = without_byte_order_mark(text);
    if is_json(&text) {
        let brace = text.len() - text.trim_start_matches(' ').len();
        let detail = "Job files in JSON are not supported yet.";
        return Err(Box::new(Diagnostic::new(
            NOT_SUPPORTED_YET,
            brace..brace + 1,
            detail,
        )));
    }
    parser::parse_body(&text).map_err(|error| Box::new(complaint::explain(&text, &error)))
}

/// A text that nobody reads to its end.
pub(crate) fn too_large() -> Diagnostic {
    let detail = format!("A file may have {} MiB at most.", MAX_BYTES >> 20);
    Diagnostic::new(FILE_TOO_LARGE, 0..0, detail)
}

/// Nomad takes a text for JSON by this rule.
pub(crate) fn is_json(text: &str) -> bool {
    text.trim_start_matches(' ').starts_with('{')
}

/// Blanks a byte order mark out, so that all places stay the same.
pub(crate) fn without_byte_order_mark(text: &str) -> Cow<'_, str> {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => Cow::Owned(format!("   {rest}")),
        None => Cow::Borrowed(text),
    }
}

/// What is said of strings over several lines, whether the parser takes them or not.
pub(crate) const MULTI_LINE_DETAIL: &str =
    "A quoted string must end on its line. Write \\n for a newline, or use a heredoc (<<EOT).";
