//! The parser's complaint to one that helps.
//!
//! The parser stops at its first complaint and often only says which token it would have liked. What people really do
//! wrong is known: shell variables, quotes around names, two arguments on one line, a missing quote or brace. These are
//! looked for at the place of the complaint.

use hcl_edit::parser::Error;

use crate::codes::*;
use crate::diagnostic::{Diagnostic, floor_char};
use crate::outline::{Broken, Open, Outline, is_word};
use crate::report::context;
use crate::syntax::MULTI_LINE_DETAIL;
use crate::{Span, shell};

/// Says what is wrong with a text that the parser refused.
pub(crate) fn explain(text: &str, error: &Error) -> Diagnostic {
    Failure::new(text, error).explain()
}

/// A complaint of the parser, with what is around its place.
struct Failure<'a> {
    text: &'a str,
    at: usize,
    message: &'a str,
    outline: Outline,
}

impl<'a> Failure<'a> {
    fn new(text: &'a str, error: &'a Error) -> Self {
        let at = floor_char(text, error.location().offset());
        Self {
            text,
            at,
            message: error.message(),
            outline: Outline::of(text, at),
        }
    }

    fn explain(&self) -> Diagnostic {
        let causes = [
            Self::too_deep,
            Self::shell_syntax,
            Self::endless,
            Self::stray_directive,
            Self::template_in_label,
            Self::quoted_name,
            Self::redefined,
            Self::unclosed_block,
            Self::one_line_block,
            Self::missing_newline,
            Self::stray_brace,
            Self::invalid_escape,
            Self::invalid_value,
        ];
        let known = causes.iter().find_map(|cause| cause(self));
        let mut diagnostic = known.unwrap_or_else(|| self.unexpected());
        diagnostic.context = context(&self.outline.blocks(self.text));
        diagnostic
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The name or the single character at the place.
    fn token(&self) -> Span {
        let rest = self.rest();
        let name = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let single = rest.chars().next().filter(|&c| c != '\n' && c != '\r');
        self.at..self.at + name.max(single.map_or(0, char::len_utf8))
    }

    /// The innermost block or object that is open on the same line.
    fn opened_here(&self) -> Option<&Open> {
        let line = self.text[..self.at].rfind('\n').map_or(0, |at| at + 1);
        self.outline.open.last().filter(|open| open.brace >= line)
    }

    fn too_deep(&self) -> Option<Diagnostic> {
        let detail = if self.message.contains("nesting depth") {
            "Blocks and expressions may be nested 64 levels deep at most."
        } else if self.message.contains("chained binary operators") {
            "An expression may have 128 operators in a row at most."
        } else {
            return None;
        };
        Some(Diagnostic::new(TOO_DEEP, self.token(), detail))
    }

    fn shell_syntax(&self) -> Option<Diagnostic> {
        let in_config = self
            .outline
            .blocks(self.text)
            .last()
            .is_some_and(|block| block == "config");
        shell::expansion(self.text, self.at, in_config)
    }

    /// The parser goes back to a heredoc's text, or to the name of an argument, when a template makes no sense to it.
    fn stray_directive(&self) -> Option<Diagnostic> {
        let rest = self.rest();
        let line = rest.find('\n').unwrap_or(rest.len());
        if self.message.contains("heredoc end delimiter") {
            shell::directive(self.text, self.at..self.text.len())
        } else if self.starts_an_argument() {
            shell::directive(self.text, self.at..self.at + line)
        } else {
            None
        }
    }

    fn starts_an_argument(&self) -> bool {
        let after = &self.text[self.token().end..];
        after.trim_start_matches([' ', '\t']).starts_with('=')
    }

    fn template_in_label(&self) -> Option<Diagnostic> {
        let (label, _) = self.rest().strip_prefix('"')?.split_once('"')?;
        if !(self.message == "expected `{`" && (label.contains("${") || label.contains("%{"))) {
            return None;
        }
        let span = self.at..self.at + label.len() + 2;
        Some(Diagnostic::new(
            INVALID_SYNTAX,
            span,
            "A label is plain text; a template cannot stand in it.",
        ))
    }

    fn endless(&self) -> Option<Diagnostic> {
        let broken = self.outline.broken.as_ref()?;
        let rest = self.rest();
        let line_end = self.at + rest.find('\n').unwrap_or(rest.len());
        let span = broken.span().clone();
        if span.start > line_end {
            return None;
        }
        Some(match broken {
            Broken::String(_) => Diagnostic::new(MULTI_LINE_STRING, span, MULTI_LINE_DETAIL),
            Broken::Heredoc(_) => {
                let word = self.text[span.clone()]
                    .trim_start_matches(['<', '-'])
                    .trim();
                let detail =
                    format!("There is no line with the closing word \"{word}\" of this heredoc.");
                Diagnostic::new(UNCLOSED, span, detail)
            }
            Broken::Comment(_) => Diagnostic::new(
                UNCLOSED,
                span,
                "There is no \"*/\" after this comment's beginning.",
            ),
        })
    }

    fn quoted_name(&self) -> Option<Diagnostic> {
        let quoted = self.rest().strip_prefix('"')?;
        let (name, after) = quoted.split_once('"')?;
        if !after.trim_start_matches([' ', '\t']).starts_with('=') {
            return None;
        }
        let span = self.at..self.at + name.len() + 2;
        let simple = name.chars().all(is_word)
            && !name.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        let mut diagnostic = Diagnostic::new(
            QUOTED_ARGUMENT_NAME,
            span,
            "Argument names must not be quoted.",
        );
        if simple && !name.is_empty() {
            diagnostic = diagnostic.fix(name);
        } else {
            diagnostic.detail +=
                " For names like this one write a map instead, as in env = { \"a.b\" = \"c\" }.";
        }
        Some(diagnostic)
    }

    fn redefined(&self) -> Option<Diagnostic> {
        if !self.message.contains("redefined") {
            return None;
        }
        let token = self.token();
        let detail = if self.message.contains("object key") {
            "This key was already set. Each may be set only once.".to_owned()
        } else {
            let name = &self.text[token.clone()];
            format!("The argument \"{name}\" was already set. Each may be set only once.")
        };
        Some(Diagnostic::new(DUPLICATE_ARGUMENT, token, detail))
    }

    fn unclosed_block(&self) -> Option<Diagnostic> {
        if !self.rest().trim().is_empty() {
            return None;
        }
        let open = self.outline.open.last()?;
        let detail = "There is no closing brace for this block before the end of the file.";
        Some(Diagnostic::new(
            UNCLOSED,
            open.header.start..open.brace + 1,
            detail,
        ))
    }

    fn one_line_block(&self) -> Option<Diagnostic> {
        let open = self.opened_here()?;
        let header = &self.text[open.header.clone()];
        if header.is_empty() || header.contains(['=', ':']) || !self.complains_about_a_body() {
            return None;
        }
        let detail = "A block on one line can hold a single argument and no block. \
                      Put each argument and each block on a line of its own.";
        Some(Diagnostic::new(ONE_LINE_BLOCK, self.token(), detail))
    }

    fn complains_about_a_body(&self) -> bool {
        let body = ["invalid block body", "invalid attribute; expected `=`"];
        body.iter().any(|start| self.message.starts_with(start))
    }

    fn missing_newline(&self) -> Option<Diagnostic> {
        let before = self.text[..self.at].trim_end_matches([' ', '\t']);
        let after_newline = before.is_empty() || before.ends_with('\n');
        let complains = self.message == "expected newline or eof" || self.complains_about_a_body();
        if after_newline || !complains {
            return None;
        }
        let detail = "An argument or block definition must end with a newline.";
        Some(Diagnostic::new(MISSING_NEWLINE, self.token(), detail))
    }

    fn stray_brace(&self) -> Option<Diagnostic> {
        let stray = self.rest().starts_with('}') && self.outline.open.is_empty();
        let detail = "There is no open block that this brace could close.";
        stray.then(|| Diagnostic::new(INVALID_SYNTAX, self.token(), detail))
    }

    /// The parser complains behind the character that makes no escape.
    fn invalid_escape(&self) -> Option<Diagnostic> {
        if !self.message.starts_with("invalid escape sequence") {
            return None;
        }
        let start = self.text[..self.at].rfind('\\')?;
        let detail = "This is no escape of HCL; there are \\n, \\r, \\t, \\\", \\\\, \\uXXXX and \\UXXXXXXXX.";
        Some(Diagnostic::new(INVALID_SYNTAX, start..self.at, detail))
    }

    /// The parser goes back to the argument's name when its value is beyond recognition.
    fn invalid_value(&self) -> Option<Diagnostic> {
        let name = self.token();
        let after = self.text[name.end..].trim_start_matches([' ', '\t']);
        let value = after.strip_prefix('=')?.trim_start_matches([' ', '\t']);
        let start = self.text.len() - value.len();
        let line = value.lines().next().unwrap_or_default().trim_end();
        let detail = format!(
            "The value of \"{}\" is not a valid expression.",
            &self.text[name]
        );
        Some(Diagnostic::new(
            INVALID_SYNTAX,
            start..start + line.len(),
            detail,
        ))
    }

    fn unexpected(&self) -> Diagnostic {
        let message = match self.message {
            "unexpected token" => "this is not expected here".to_owned(),
            message if message.starts_with("invalid expression;") => {
                "an expression is expected here".to_owned()
            }
            message
                if self.rest().starts_with(':') && message.starts_with("invalid structure;") =>
            {
                "an equals sign belongs between an argument's name and its value".to_owned()
            }
            message => message.replacen("; ", ": ", 1),
        };
        let mut rest = message.chars();
        let first = rest.next().into_iter().flat_map(char::to_uppercase);
        let detail: String = first.chain(rest).chain(['.']).collect();
        Diagnostic::new(INVALID_SYNTAX, self.token(), detail)
    }
}
