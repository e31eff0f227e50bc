//! `constraint`: with an operator and a value, or with an argument named after the operator.

use hcl_edit::structure::Block;

use super::no_labels;
use crate::codes::*;
use crate::constraint::{OPERATORS, Operator, unfit};
use crate::diagnostic::Diagnostic;
use crate::fields::{Fields, header};
use crate::report::{Report, Reported};
use crate::schema::CONSTRAINT;
use crate::suggest::nearest;
use crate::{Constraint, Span, Spanned};

/// Operators that may stand in place of `operator` and `value`.
const SHORT: [&str; 8] = [
    "version",
    "semver",
    "regexp",
    "set_contains",
    "set_contains_all",
    "set_contains_any",
    "is_set",
    "is_not_set",
];
/// What a target in braces may begin with, and what it may be.
const ROOTS: [&str; 3] = ["${attr.", "${device.", "${meta."];
const OF_NODE: [&str; 5] = [
    "${node.class}",
    "${node.datacenter}",
    "${node.pool}",
    "${node.unique.id}",
    "${node.unique.name}",
];

/// Reads the constraints of a job, a group or a task.
pub(crate) fn constraints(
    fields: &Fields<'_>,
    report: &mut Report<'_>,
) -> Result<Vec<Constraint>, Reported> {
    let blocks = fields.blocks().iter();
    let all: Vec<_> = blocks
        .filter(|block| block.ident.as_str() == "constraint")
        .map(|block| {
            report.inside("constraint".to_owned(), |report| {
                no_labels(block, report);
                constraint(block, report)
            })
        })
        .collect();
    all.into_iter().collect()
}

fn constraint(block: &Block, report: &mut Report<'_>) -> Result<Constraint, Reported> {
    let span = header(block);
    let fields = Fields::of(&block.body, span.clone(), &CONSTRAINT, report);
    let attribute = fields.text("attribute", report);
    let given = operation(&fields, report);
    let (attribute, given) = (attribute?, given?);
    let attribute = given.property.or(attribute);
    let (operator, value) = (given.operator, given.value);
    let Some(kind) = Operator::of(&operator.value) else {
        return Err(unknown(&operator, report));
    };
    let place = value
        .as_ref()
        .map_or_else(|| span.clone(), |value| value.span.clone());
    let value = value.map_or_else(String::new, |value| value.value);
    check_value(kind, &operator.value, &value, place, report)?;
    if kind != Operator::DistinctHosts {
        check_attribute(attribute.as_ref(), &span, report)?;
    }
    remark(kind, &operator, report);
    Ok(Constraint {
        span,
        attribute: attribute.map_or_else(String::new, |attribute| attribute.value),
        operator: operator.value,
        value,
    })
}

/// What a block says beside its attribute.
struct Given {
    operator: Spanned<String>,
    value: Option<Spanned<String>>,
    /// What `distinct_property` names.
    property: Option<Spanned<String>>,
}

fn operation(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<Given, Reported> {
    let operator = fields.text("operator", report);
    let value = fields.text("value", report);
    let shorts: Vec<_> = SHORT
        .iter()
        .map(|name| short(fields, name, report))
        .collect();
    let hosts = fields.flag("distinct_hosts", report);
    let property = fields.text("distinct_property", report);
    let (operator, value) = (filled(operator?), value?);
    let mut found: Vec<(Spanned<String>, Option<Spanned<String>>)> = Vec::new();
    for given in shorts {
        found.extend(given?);
    }
    if let Some(hosts) = hosts? {
        let text = hosts.value.to_string();
        found.push((
            spanned("distinct_hosts", &hosts.span),
            Some(spanned(&text, &hosts.span)),
        ));
    }
    let property = filled(property?);
    if let Some(property) = &property {
        found.push((spanned("distinct_property", &property.span), value.clone()));
    }
    if let Some(given) = operator {
        found.push((given, value.clone()));
    }
    one(found, value, property, fields.header(), report)
}

fn one(
    mut found: Vec<(Spanned<String>, Option<Spanned<String>>)>,
    value: Option<Spanned<String>>,
    property: Option<Spanned<String>>,
    block: Span,
    report: &mut Report<'_>,
) -> Result<Given, Reported> {
    if let [(first, _), (second, _), ..] = found.as_slice() {
        let detail = format!(
            "A constraint has one operator; here are {:?} and {:?}.",
            first.value, second.value
        );
        return Err(report.error(INVALID_CONSTRAINT, second.span.clone(), detail));
    }
    let (operator, value) = found.pop().unwrap_or((
        Spanned {
            value: "=".to_owned(),
            span: block,
        },
        value,
    ));
    Ok(Given {
        operator,
        value,
        property,
    })
}

fn spanned(text: &str, span: &Span) -> Spanned<String> {
    Spanned {
        value: text.to_owned(),
        span: span.clone(),
    }
}

fn filled(text: Option<Spanned<String>>) -> Option<Spanned<String>> {
    text.filter(|text| !text.value.is_empty())
}

type Operation = (Spanned<String>, Option<Spanned<String>>);

fn short(
    fields: &Fields<'_>,
    name: &str,
    report: &mut Report<'_>,
) -> Result<Option<Operation>, Reported> {
    let Some(given) = filled(fields.text(name, report)?) else {
        return Ok(None);
    };
    let operator = spanned(name, &given.span);
    // `is_set = true` asks for nothing but itself.
    let value = (!name.starts_with("is_")).then_some(given);
    Ok(Some((operator, value)))
}

fn unknown(operator: &Spanned<String>, report: &mut Report<'_>) -> Reported {
    let words = OPERATORS.map(|(word, _)| word);
    let detail = format!(
        "Unknown constraint type {:?}; there are {}.",
        operator.value,
        words.join(" ")
    );
    let mut unknown = Diagnostic::new(INVALID_CONSTRAINT, operator.span.clone(), detail);
    unknown.fix = nearest(&operator.value, words).map(|word| format!("\"{word}\""));
    report.add(unknown)
}

fn check_value(
    kind: Operator,
    operator: &str,
    value: &str,
    place: Span,
    report: &mut Report<'_>,
) -> Result<(), Reported> {
    let compares = matches!(
        kind,
        Operator::Equal
            | Operator::NotEqual
            | Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual
    );
    let asks = matches!(kind, Operator::IsSet | Operator::IsNotSet);
    let problem = if compares && value.is_empty() {
        Some(format!("Operator {operator:?} requires a value."))
    } else if asks && !value.is_empty() {
        Some(format!("Operator {operator:?} does not take a value."))
    } else if value.starts_with("${") {
        // What it is will be known on the node.
        None
    } else {
        unfit(kind, value)
    };
    match problem {
        Some(detail) => Err(report.error(INVALID_CONSTRAINT, place, detail)),
        None => Ok(()),
    }
}

fn check_attribute(
    attribute: Option<&Spanned<String>>,
    block: &Span,
    report: &mut Report<'_>,
) -> Result<(), Reported> {
    let Some(given) = attribute.filter(|given| !given.value.is_empty()) else {
        let detail = "The constraint needs an attribute: attribute = \"${attr.kernel.name}\".";
        return Err(report.error(MISSING_ARGUMENT, block.clone(), detail));
    };
    let text = &given.value;
    let is_known = !text.starts_with('$')
        || OF_NODE.contains(&text.as_str())
        || (text.ends_with('}') && ROOTS.iter().any(|root| text.starts_with(root)));
    if is_known {
        return Ok(());
    }
    let detail = format!(
        "Unsupported attribute {text:?}; there are ${{attr.…}}, ${{meta.…}} and {}.",
        OF_NODE.join(", ")
    );
    let mut unknown = Diagnostic::new(INVALID_CONSTRAINT, given.span.clone(), detail);
    unknown.fix = nearest(text, OF_NODE).map(|near| format!("\"{near}\""));
    Err(report.add(unknown))
}

/// There is one node: whatever is asked of several is met, and says nothing.
fn remark(kind: Operator, operator: &Spanned<String>, report: &mut Report<'_>) {
    if matches!(kind, Operator::DistinctHosts | Operator::DistinctProperty) {
        let detail = format!(
            "{} is about several nodes; all allocations run on this one.",
            operator.value
        );
        report.warn(Diagnostic::new(
            WITHOUT_EFFECT,
            operator.span.clone(),
            detail,
        ));
    }
}
