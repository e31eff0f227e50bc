//! Everything that was found wrong so far, and in which block we are.

use crate::codes::Code;
use crate::diagnostic::{Diagnostic, place, printable};
use crate::{Span, Spanned};

/// Proof that a mistake has been reported; there is nothing left to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported;

pub(crate) struct Report<'a> {
    file: &'a str,
    text: &'a str,
    blocks: Vec<String>,
    found: Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            text,
            blocks: Vec::new(),
            found: Vec::new(),
        }
    }

    /// The text at a place.
    pub(crate) fn source(&self, span: &Span) -> &'a str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// A place in words, to point at from another place.
    pub(crate) fn place(&self, span: &Span) -> String {
        place(self.file, self.text, span)
    }

    pub(crate) fn add(&mut self, mut diagnostic: Diagnostic) -> Reported {
        diagnostic.context = context(&self.blocks);
        self.found.push(diagnostic);
        Reported
    }

    pub(crate) fn error(&mut self, code: Code, span: Span, detail: impl Into<String>) -> Reported {
        self.add(Diagnostic::new(code, span, detail))
    }

    /// Reports at the place of a value.
    pub(crate) fn error_at<T>(
        &mut self,
        code: Code,
        value: &Spanned<T>,
        detail: impl Into<String>,
    ) -> Reported {
        self.error(code, value.span.clone(), detail)
    }

    /// Runs `read` inside the block of that header: `task "python"`, `config`.
    pub(crate) fn inside<T>(&mut self, header: String, read: impl FnOnce(&mut Self) -> T) -> T {
        self.blocks.push(header);
        let result = read(self);
        self.blocks.pop();
        result
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All mistakes in the order of the file.
    pub(crate) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.found
            .sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end));
        self.found
    }
}

/// The innermost block with a name, and those inside it.
pub(crate) fn context(blocks: &[String]) -> Option<String> {
    let named = blocks.iter().rposition(|block| block.contains('"'));
    let shown = &blocks[named.unwrap_or(0)..];
    (!shown.is_empty()).then(|| printable(&shown.join(" ")))
}
