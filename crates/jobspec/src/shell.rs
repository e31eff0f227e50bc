//! Shell and format-string syntax that HCL takes for its own: `${VAR:-x}`, `%{http_code}`.

use crate::Span;
use crate::codes::{INVALID_SYNTAX, SHELL_SYNTAX};
use crate::diagnostic::Diagnostic;

/// Explains a complaint about what stands at `at` by the `${` before it.
pub(crate) fn expansion(text: &str, at: usize, in_config: bool) -> Option<Diagnostic> {
    let start = last_opening(&text[..at], "${")?;
    let inner = &text[start + 2..];
    // HCL takes `#` for a comment; what it then complains about lies on a later line.
    let unclosed = !text[start..at].contains('}');
    if !(is_expansion(inner) && (unclosed || inner.contains('#'))) {
        return None;
    }
    let line = inner.lines().next().unwrap_or_default();
    let end = start + 2 + line.find('}').map_or(line.len(), |brace| brace + 1);
    let written = &text[start..end];
    // What config says is read twice.
    let literal = if in_config {
        format!("${{\"$$\"}}{}", &written[1..])
    } else {
        format!("${written}")
    };
    let detail = format!(
        "HCL reads {written} as a template of its own and not as a shell would. Write {literal} to pass it on as it is."
    );
    Some(Diagnostic::new(SHELL_SYNTAX, start..end, detail).fix(literal))
}

/// Explains why the parser gave up on a string, a heredoc or a whole argument: by a `%{` in it that begins neither
/// `if` nor `for`.
pub(crate) fn directive(text: &str, given_up: Span) -> Option<Diagnostic> {
    let openings = text[given_up.clone()]
        .match_indices("%{")
        .map(|(found, _)| given_up.start + found);
    let start = openings
        .filter(|&found| !escaped(&text[..found], '%'))
        .find(|&found| {
            let inner = text[found + 2..].trim_start_matches('~').trim_start();
            let word = inner.split(|c: char| !c.is_alphabetic()).next();
            !matches!(word, Some("if" | "for" | "else" | "endif" | "endfor"))
        })?;
    let line = text[start..].lines().next().unwrap_or_default();
    let end = start + line.find('}').map_or(line.len(), |brace| brace + 1);
    let written = &text[start..end];
    let detail = format!(
        "HCL reads {written} as a directive of its own. Write %{written} to pass it on as it is."
    );
    Some(Diagnostic::new(INVALID_SYNTAX, start..end, detail).fix(format!("%{written}")))
}

/// Finds the last `${` or `%{` that is none of an escape.
pub(crate) fn last_opening(text: &str, marker: &str) -> Option<usize> {
    let mut openings = text.rmatch_indices(marker).map(|(found, _)| found);
    let doubled = if marker == "%{" { '%' } else { '$' };
    openings.find(|&found| !escaped(&text[..found], doubled))
}

fn escaped(before: &str, doubled: char) -> bool {
    before.ends_with(doubled)
}

/// Whether what follows `${` is a parameter expansion that no expression of HCL looks like.
pub(crate) fn is_expansion(inner: &str) -> bool {
    if inner.starts_with(['#', '!', '@', '*', '?', '$']) {
        return true;
    }
    let name = inner.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if name.len() == inner.len() {
        return false;
    }
    let operator = name
        .strip_prefix("[@]")
        .or_else(|| name.strip_prefix("[*]"))
        .unwrap_or(name);
    operator.len() != name.len()
        || operator.starts_with([':', '#', '%', '/', '^', ',', '=', '+', '?', '-', '@'])
}

#[cfg(test)]
mod tests {
    use super::is_expansion;

    #[test]
    fn expansions_of_the_shell_are_known() {
        for inner in [
            "X:-y}", "X:=y}", "X:?y}", "X:+y}", "X:1:2}", "X%.*}", "X%%/*}", "X#*/}", "X##*/}",
            "X/a/b}", "X//a/b}", "X^^}", "X,,}", "#X}", "!X}", "@}", "a[@]}", "1:-y}", "X=y}",
            "X@Q}",
        ] {
            assert!(is_expansion(inner), "{inner}");
        }
        for inner in [
            "X}",
            "attr.kernel.name}",
            "upper(X)}",
            "a[0]}",
            " X }",
            "\"a\"}",
            "",
        ] {
            assert!(!is_expansion(inner), "{inner}");
        }
    }
}
