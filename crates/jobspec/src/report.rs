//! Everything that was found wrong so far, and in which block we are.

use std::sync::Arc;

use crate::codes::{Code, RESULT_TOO_LARGE};
use crate::cty::{self, Type, Value};
use crate::diagnostic::{Diagnostic, Source, place, printable};
use crate::names::{Known, Names};
use crate::steps::Spent;
use crate::{Span, Spanned};

/// Proof that a mistake has been reported; there is nothing left to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported;

pub(crate) struct Report<'a> {
    file: &'a str,
    text: &'a str,
    /// Says where a place of this text is in words, where the text was made from the file's.
    outside: Option<&'a dyn Fn(&Span) -> String>,
    blocks: Vec<String>,
    found: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    /// What names mean here.
    pub(crate) names: Names,
}

impl<'a> Report<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            text,
            outside: None,
            blocks: Vec::new(),
            found: Vec::new(),
            warnings: Vec::new(),
            names: Names::default(),
        }
    }

    /// The same with names that are known.
    pub(crate) fn with(names: Names, text: &'a str) -> Self {
        Self {
            names,
            ..Self::new("", text)
        }
    }

    /// Runs `read` on a text that was made from the file's; `place` says where something of it stands in the file.
    pub(crate) fn on<T>(
        &mut self,
        text: &str,
        place: impl Fn(&Span) -> Span,
        read: impl FnOnce(&mut Report<'_>) -> T,
    ) -> T {
        let names = std::mem::take(&mut self.names);
        let outside = |span: &Span| self.place(&place(span));
        let mut inner = Report {
            outside: Some(&outside),
            ..Report::with(names, text)
        };
        let result = read(&mut inner);
        let Report {
            names,
            found,
            warnings,
            ..
        } = inner;
        self.names = names;
        for mut diagnostic in found {
            diagnostic.span = place(&diagnostic.span);
            self.add(diagnostic);
        }
        for warning in warnings {
            let span = place(&warning.span);
            self.warn(Diagnostic { span, ..warning });
        }
        result
    }

    /// Runs `read` on another text than the file's: what it says is of that text.
    pub(crate) fn elsewhere<T>(
        &mut self,
        source: &Arc<Source>,
        read: impl FnOnce(&mut Report<'_>) -> T,
    ) -> T {
        let names = std::mem::take(&mut self.names);
        let mut inner = Report {
            names,
            ..Report::new(&source.name, &source.text)
        };
        let result = read(&mut inner);
        self.names = std::mem::take(&mut inner.names);
        for mut diagnostic in inner.found {
            diagnostic.source.get_or_insert_with(|| Arc::clone(source));
            self.found.push(diagnostic);
        }
        result
    }

    /// Runs `read` where other names are known.
    pub(crate) fn knowing<T>(&mut self, known: Known, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.names.replace(known);
        let result = read(self);
        self.names.restore(before);
        result
    }

    /// Runs `read` and takes back what it reported, unless there is nothing left to work with.
    pub(crate) fn attempt<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Reported>,
    ) -> Result<Result<T, Vec<Diagnostic>>, Reported> {
        let before = self.found.len();
        let result = read(self);
        if self.names.steps.is_spent() {
            return Err(Reported);
        }
        Ok(result.map_err(|Reported| self.found.split_off(before)))
    }

    /// Takes note of work done; a template may multiply what is written in the file, but not without end.
    pub(crate) fn spend(&mut self, steps: usize, span: &Span) -> Result<(), Reported> {
        match self.names.steps.spend(steps) {
            Spent::Within => Ok(()),
            Spent::Over => Err(Reported),
            Spent::JustOver => {
                let detail = "The values of a job file may take 32 million steps at most, about one for each byte.";
                Err(self.error(RESULT_TOO_LARGE, span.clone(), detail))
            }
        }
    }

    /// The value as that type, or why it is none.
    pub(crate) fn convert(
        &mut self,
        value: Value,
        wanted: &Type,
        span: &Span,
    ) -> Result<Result<Value, String>, Reported> {
        let converted = cty::convert(value, wanted, &mut self.names.steps);
        self.spend(0, span)?;
        Ok(converted)
    }

    /// The type that all of these can be made, if there is one.
    pub(crate) fn unify(&mut self, types: &[Type], span: &Span) -> Result<Option<Type>, Reported> {
        let unified = cty::unify(types, &mut self.names.steps);
        self.spend(0, span)?;
        Ok(unified)
    }

    /// The text at a place.
    pub(crate) fn source(&self, span: &Span) -> &'a str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// A place in words, to point at from another place.
    pub(crate) fn place(&self, span: &Span) -> String {
        match self.outside {
            Some(outside) => outside(span),
            None => place(self.file, self.text, span),
        }
    }

    pub(crate) fn add(&mut self, mut diagnostic: Diagnostic) -> Reported {
        diagnostic.context = context(&self.blocks);
        self.found.push(diagnostic);
        Reported
    }

    /// Says what is no mistake and does not do what it does in a cluster.
    pub(crate) fn warn(&mut self, mut warning: Diagnostic) {
        warning.context = context(&self.blocks);
        self.warnings.push(warning);
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
    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        sorted(self.found)
    }

    /// All warnings in the order of the file.
    pub(crate) fn into_warnings(self) -> Vec<Diagnostic> {
        sorted(self.warnings)
    }
}

fn sorted(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    // What other files say of variables comes first.
    diagnostics.sort_by_key(|diagnostic| {
        let here = diagnostic.source.is_none();
        (here, diagnostic.span.start, diagnostic.span.end)
    });
    // The copies of a dynamic block have their mistakes in common.
    diagnostics.dedup();
    diagnostics
}

/// The innermost block with a name, and those inside it.
pub(crate) fn context(blocks: &[String]) -> Option<String> {
    let named = blocks.iter().rposition(|block| block.contains('"'));
    let shown = &blocks[named.unwrap_or(0)..];
    (!shown.is_empty()).then(|| printable(&shown.join(" ")))
}
