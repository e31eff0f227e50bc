//! Why a text is no template, in the words of HCL, and with the way out for what a shell would read.
//!
//! These texts come out of the first evaluation: `$${FOO:-x}` in a file is `${FOO:-x}` here.

use hcl_edit::parser::Error;

use crate::codes::*;
use crate::diagnostic::{Diagnostic, floor_char};
use crate::outline::is_word;
use crate::{Span, shell};

const WAY_OUT: &str = "Nomad evaluates config twice: move the script into a template, or write ${\"$$\"}{ for a literal ${ \
                       and ${\"%%\"}{ for %{.";

/// Explains the parser's complaint.
pub(crate) fn explain(text: &str, error: &Error) -> Vec<Diagnostic> {
    if error.message().contains("nesting depth") {
        let detail = "Expressions may be nested 64 levels deep at most.";
        return vec![Diagnostic::new(TOO_DEEP, 0..text.len(), detail)];
    }
    if error.message().contains("chained binary operators") {
        let detail = "An expression may have 128 operators in a row at most.";
        return vec![Diagnostic::new(TOO_DEEP, 0..text.len(), detail)];
    }
    let at = floor_char(text, error.location().offset());
    // The parser may complain of the opening itself.
    let until = floor_char(text, at + 2);
    let opening = |marker| shell::last_opening(&text[..until], marker);
    match (opening("${"), opening("%{")) {
        (Some(start), directive) if directive.is_none_or(|directive| directive < start) => {
            vec![interpolation(text, start, at)]
        }
        (_, Some(start)) => directive(text, start),
        _ => vec![invalid(
            0..text.len(),
            "This text cannot be read as a template.",
        )],
    }
}

fn invalid(span: Span, detail: impl Into<String>) -> Diagnostic {
    Diagnostic::new(INVALID_TEMPLATE, span, detail)
}

/// The marker with what follows it up to its brace.
fn written(text: &str, start: usize) -> Span {
    let rest = &text[start..];
    let line = rest.lines().next().unwrap_or_default();
    start..start + line.find('}').map_or(line.len(), |brace| brace + 1)
}

fn interpolation(text: &str, start: usize, at: usize) -> Diagnostic {
    let inner = &text[start + 2..];
    let span = written(text, start);
    let expected = "Expected the start of an expression, but found";
    if inner.trim().is_empty() {
        let detail = format!("{expected} the end of the file. {WAY_OUT}");
        return invalid(span, detail).summary("Missing expression");
    }
    if shell::is_expansion(inner) {
        let colon = text[at..].starts_with(':');
        let problem = if colon {
            "Template interpolation doesn't expect a colon at this location."
        } else {
            "Expected a closing brace to end the interpolation expression, but found extra characters."
        };
        let detail = format!("{problem} {WAY_OUT}");
        return Diagnostic::new(SHELL_SYNTAX, span, detail)
            .summary("Extra characters after interpolation expression");
    }
    if inner.trim_start().starts_with('}') {
        let detail = format!("{expected} an invalid expression token.");
        return invalid(span, detail).summary("Invalid expression");
    }
    if !inner.contains('}') {
        let detail = format!(
            "There is no closing brace for this interpolation sequence before the end of the file. {WAY_OUT}"
        );
        return invalid(span, detail).summary("Unclosed template interpolation sequence");
    }
    let detail =
        "Expected a closing brace to end the interpolation expression, but found extra characters.";
    invalid(span, detail).summary("Extra characters after interpolation expression")
}

fn directive(text: &str, start: usize) -> Vec<Diagnostic> {
    let span = written(text, start);
    let inner = text[start + 2..].trim_start_matches('~').trim_start();
    let keyword = &inner[..inner.find(|c| !is_word(c)).unwrap_or(inner.len())];
    let mut found = Vec::new();
    match keyword {
        "" => {
            let detail = format!(
                "A template directive keyword (\"if\", \"for\", etc) is expected at the beginning of a %{{ sequence. {WAY_OUT}"
            );
            return vec![invalid(span, detail).summary("Invalid template directive")];
        }
        "if" if inner[2..]
            .trim_start()
            .trim_start_matches('~')
            .starts_with('}') =>
        {
            let detail =
                "Expected the start of an expression, but found an invalid expression token.";
            found.push(invalid(span, detail).summary("Invalid expression"));
        }
        "if" | "for" | "else" | "endif" | "endfor" => {}
        other => {
            let detail = format!("\"{other}\" is not a valid template control keyword. {WAY_OUT}");
            return vec![invalid(span, detail).summary("Invalid template control keyword")];
        }
    }
    found.extend(unclosed(text));
    if found.is_empty() {
        found.push(invalid(
            written(text, start),
            "This directive cannot be read.",
        ));
    }
    found
}

/// The innermost `%{ if }` or `%{ for }` without its end.
fn unclosed(text: &str) -> Option<Diagnostic> {
    let mut open = Vec::new();
    for (start, _) in text.match_indices("%{") {
        if text[..start].ends_with('%') {
            continue;
        }
        let inner = text[start + 2..].trim_start_matches('~').trim_start();
        let keyword = &inner[..inner.find(|c| !is_word(c)).unwrap_or(inner.len())];
        match keyword {
            "if" | "for" => open.push((start, keyword)),
            "endif" | "endfor" => drop(open.pop()),
            _ => {}
        }
    }
    let (start, keyword) = open.pop()?;
    let detail = format!(
        "The {keyword} directive is missing its corresponding end{keyword} directive. {WAY_OUT}"
    );
    Some(invalid(written(text, start), detail).summary("Unexpected end of template"))
}
