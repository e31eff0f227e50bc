//! Templates: text with `${ … }`, `%{ if … }` and `%{ for … }` in it.

use hcl_edit::expr::Expression;
use hcl_edit::parser;
use hcl_edit::template::{Directive, Element, ForDirective, IfDirective, StringTemplate, Template};

use crate::codes::*;
use crate::comprehension::pairs;
use crate::cty::Value;
use crate::eval::{span, typed, without_nul};
use crate::report::{Report, Reported};
use crate::syntax::MULTI_LINE_DETAIL;
use crate::{Span, convert, operators, refusal};

/// What `~` takes away beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trim {
    /// All the space.
    All,
    /// The space on one line: HCL reads a heredoc line by line.
    Line,
}

/// Evaluates a quoted string with templates in it.
pub(crate) fn quoted(
    template: &StringTemplate,
    whole: &Span,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let broken =
        |element: &Element| element.is_literal() && report.source(&span(element)).contains('\n');
    if template.iter().any(broken) {
        return Err(report.error(MULTI_LINE_STRING, whole.clone(), MULTI_LINE_DETAIL));
    }
    value(template, whole, Trim::All, report)
}

/// Evaluates a text that is a template as a whole, without quotes around it.
pub(crate) fn bare(text: &str, trim: Trim, report: &mut Report<'_>) -> Result<Value, Reported> {
    let template = parser::parse_template(text).map_err(|error| {
        for mistake in refusal::explain(text, &error) {
            report.add(mistake);
        }
        Reported
    })?;
    value(&template, &(0..text.len()), trim, report)
}

/// Whether a text has anything in it for a template to replace.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("${") || text.contains("%{")
}

/// One interpolation alone keeps the type of its value.
fn value(
    template: &Template,
    whole: &Span,
    trim: Trim,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    if let Some(Element::Interpolation(only)) = template.get(0)
        && template.len() == 1
    {
        return typed(&only.expr, report);
    }
    let text = text(template, Edges::default(), trim, report)?;
    without_nul(text, whole, report)
}

/// Whether the first text of a template loses the space at its beginning, and the last that at its end.
#[derive(Debug, Clone, Copy, Default)]
struct Edges {
    left: bool,
    right: bool,
}

fn text(
    template: &Template,
    edges: Edges,
    trim: Trim,
    report: &mut Report<'_>,
) -> Result<String, Reported> {
    let mut text = String::new();
    let mut result = Ok(());
    for (at, element) in template.iter().enumerate() {
        let part = match element {
            Element::Literal(literal) => {
                let before = at.checked_sub(1).and_then(|before| template.get(before));
                let left = before.map_or(edges.left, |before| strips(before).right);
                let right = template
                    .get(at + 1)
                    .map_or(edges.right, |after| strips(after).left);
                Ok(trimmed(literal, Edges { left, right }, trim).to_owned())
            }
            Element::Interpolation(interpolation) => part(&interpolation.expr, report),
            Element::Directive(directive) => match &**directive {
                Directive::If(directive) => chosen(directive, trim, report),
                Directive::For(directive) => repeated(directive, trim, report),
            },
        };
        let place = span(element);
        match part {
            Ok(part) => {
                report.spend(part.len() + 1, &place)?;
                text += &part;
            }
            Err(Reported) => result = Err(Reported),
        }
    }
    result.map(|()| text)
}

/// What `~` at the outer ends of an element asks for.
fn strips(element: &Element) -> Edges {
    let (left, right) = match element {
        Element::Literal(_) => return Edges::default(),
        Element::Interpolation(interpolation) => (interpolation.strip, interpolation.strip),
        Element::Directive(directive) => match &**directive {
            Directive::If(directive) => (directive.if_expr.strip, directive.endif_expr.strip),
            Directive::For(directive) => (directive.for_expr.strip, directive.endfor_expr.strip),
        },
    };
    Edges {
        left: left.strip_start(),
        right: right.strip_end(),
    }
}

fn trimmed(text: &str, edges: Edges, trim: Trim) -> &str {
    let mut kept = text;
    if edges.left {
        let end = match trim {
            Trim::All => kept.len(),
            Trim::Line => kept.find('\n').map_or(kept.len(), |newline| newline + 1),
        };
        let space = end - kept[..end].trim_start().len();
        kept = &kept[space..];
    }
    if edges.right {
        let start = match trim {
            Trim::All => 0,
            Trim::Line => {
                let line = kept.strip_suffix('\n').unwrap_or(kept);
                line.rfind('\n').map_or(0, |newline| newline + 1)
            }
        };
        kept = &kept[..start + kept[start..].trim_end().len()];
    }
    kept
}

fn part(expr: &Expression, report: &mut Report<'_>) -> Result<String, Reported> {
    let value = typed(expr, report)?;
    convert::to_string(&value).ok_or_else(|| {
        let detail = match value {
            Value::Null(_) => {
                "The expression result is null. Cannot include a null value in a string template."
            }
            _ => "Cannot include the given value in a string template: string required.",
        };
        report.error(INVALID_TEMPLATE_VALUE, span(expr), detail)
    })
}

/// Evaluates both branches, since a mistake in either is one.
fn chosen(
    directive: &IfDirective,
    trim: Trim,
    report: &mut Report<'_>,
) -> Result<String, Reported> {
    let (on_true, on_false) = (&directive.if_expr, &directive.else_expr);
    let condition = operators::condition(&on_true.cond_expr, report);
    let end = directive.endif_expr.strip.strip_start();
    let edges = Edges {
        left: on_true.strip.strip_end(),
        right: on_false
            .as_ref()
            .map_or(end, |other| other.strip.strip_start()),
    };
    let on_true = text(&on_true.template, edges, trim, report);
    let on_false = match on_false {
        Some(other) => {
            let edges = Edges {
                left: other.strip.strip_end(),
                right: end,
            };
            text(&other.template, edges, trim, report)
        }
        None => Ok(String::new()),
    };
    let (condition, on_true, on_false) = (condition?, on_true?, on_false?);
    Ok(if condition { on_true } else { on_false })
}

fn repeated(
    directive: &ForDirective,
    trim: Trim,
    report: &mut Report<'_>,
) -> Result<String, Reported> {
    let ForDirective { for_expr, .. } = directive;
    let place = span(&for_expr.collection_expr);
    let collection = typed(&for_expr.collection_expr, report)?;
    let edges = Edges {
        left: for_expr.strip.strip_end(),
        right: directive.endfor_expr.strip.strip_start(),
    };
    let mut all = String::new();
    let outside = report.names.depth();
    for (key, item) in pairs(collection, &place, report)? {
        if let Some(name) = &for_expr.key_var {
            report.names.push(name.as_str(), key);
        }
        report.names.push(for_expr.value_var.as_str(), item);
        let body = text(&for_expr.template, edges, trim, report);
        report.names.truncate(outside);
        // One mistake in the body is enough.
        let body = body?;
        report.spend(body.len() + 1, &place)?;
        all += &body;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(text: &str, trim: Trim) -> &str {
        let edges = Edges {
            left: true,
            right: false,
        };
        trimmed(text, edges, trim)
    }

    fn right(text: &str, trim: Trim) -> &str {
        let edges = Edges {
            left: false,
            right: true,
        };
        trimmed(text, edges, trim)
    }

    #[test]
    fn space_beside_a_tilde_goes() {
        assert_eq!(left(" \n  a ", Trim::All), "a ");
        assert_eq!(left(" \n  a ", Trim::Line), "  a ");
        assert_eq!(right(" a \n  ", Trim::All), " a");
        assert_eq!(right(" a \n  ", Trim::Line), " a \n");
        assert_eq!(right(" a \n", Trim::Line), " a");
        for trim in [Trim::All, Trim::Line] {
            assert_eq!(left("  ", trim), "");
            assert_eq!(right("", trim), "");
        }
    }
}
