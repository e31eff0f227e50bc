//! Values that are given from outside: by the environment, by files, by arguments.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::parser;
use hcl_edit::structure::Body;

use super::{Assigned, Origin, Variable, Variables, attributes, constant};
use crate::codes::*;
use crate::cty::{Type, Value};
use crate::diagnostic::{Diagnostic, Source};
use crate::eval::{span, typed};
use crate::functions::{json_keys, json_value};
use crate::inputs::Undeclared;
use crate::report::{Report, Reported};
use crate::suggest::nearest;
use crate::{Inputs, Span, complaint, syntax};

/// Takes what the environment says of the variables that there are.
pub(super) fn environment(variables: &mut Variables<'_>, inputs: &Inputs, report: &mut Report<'_>) {
    for (name, variable) in variables {
        if let Some(text) = inputs.environment.get(name) {
            let source = Source {
                name: format!("{}{name}", Inputs::PREFIX),
                text: text.clone(),
            };
            written(name, 0, variable, source, Origin::Environment, report);
        }
    }
}

/// Takes what was given with `-var`.
pub(super) fn arguments(variables: &mut Variables<'_>, inputs: &Inputs, report: &mut Report<'_>) {
    // Of one name only the last counts.
    let last: BTreeMap<&String, &String> = inputs
        .arguments
        .iter()
        .map(|(name, value)| (name, value))
        .collect();
    for (name, value) in last {
        let source = Source {
            name: "-var".to_owned(),
            text: format!("{name}={value}"),
        };
        match variables.get_mut(name) {
            Some(variable) => written(
                name,
                name.len() + 1,
                variable,
                source,
                Origin::Argument,
                report,
            ),
            None if inputs.undeclared == Undeclared::Ignored => {}
            None => {
                let near = nearest(name, variables.keys().map(String::as_str));
                let detail = format!(
                    "A {name:?} variable was passed in the command line but was not found in known variables. To declare variable {name:?}, place this block in your job file: variable {name:?} {{}}."
                );
                let mut undefined = Diagnostic::new(UNDEFINED_VARIABLE, 0..name.len(), detail);
                undefined.fix = near.map(str::to_owned);
                undefined.source = Some(Arc::new(source));
                report.add(undefined.summary("Undefined -var variable"));
            }
        }
    }
}

/// Takes a value from text: a string as it is, anything else as an expression. It begins at `start` of the source.
fn written(
    name: &str,
    start: usize,
    variable: &mut Variable<'_>,
    source: Source,
    from: Origin,
    report: &mut Report<'_>,
) {
    let source = Arc::new(source);
    let place = start..source.text.len();
    let value = report.elsewhere(&source, |report| {
        let value = match &variable.kind {
            None | Some(Type::String | Type::Number) => Value::text(&source.text[start..]),
            Some(_) => expression(&source.text, start, report)?,
        };
        fitting(name, value, variable.kind.as_ref(), &place, from, report)
    });
    assign(variable, value, place, from, &source);
}

fn assign(
    variable: &mut Variable<'_>,
    value: Result<Value, Reported>,
    place: Span,
    from: Origin,
    source: &Arc<Source>,
) {
    match value {
        Ok(value) => {
            variable.assigned = Some(Assigned {
                value,
                from,
                place,
                source: Some(Arc::clone(source)),
            });
        }
        Err(Reported) => variable.is_broken = true,
    }
}

/// Evaluates what stands behind `start`.
fn expression(text: &str, start: usize, report: &mut Report<'_>) -> Result<Value, Reported> {
    if text.len() > syntax::MAX_BYTES {
        return Err(report.add(syntax::too_large()));
    }
    let start = text.len() - text[start..].trim_start().len();
    let shifted = |span: &Span| start + span.start..start + span.end;
    let written = text[start..].trim_end();
    report.on(written, shifted, |report| {
        let expr = parser::parse_expr(written).map_err(|error| {
            let mut mistake = complaint::explain(written, &error);
            mistake.context = None;
            report.add(mistake)
        })?;
        constant(report, |report| typed(&expr, report))
    })
}

/// The value in the type that its variable has.
fn fitting(
    name: &str,
    value: Value,
    kind: Option<&Type>,
    place: &Span,
    from: Origin,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let Some(kind) = kind else { return Ok(value) };
    report.convert(value, kind, place)?.map_err(|why| {
        let (summary, what) = match from {
            Origin::Argument => (
                "Invalid argument value for -var variable",
                "received arg value",
            ),
            _ => ("Invalid value for variable", "value"),
        };
        let detail = format!(
            "The {what} for {name} is not compatible with the variable's type constraint: {why}."
        );
        report.add(Diagnostic::new(INVALID_VARIABLE_VALUE, place.clone(), detail).summary(summary))
    })
}

/// Takes what files of variables say, each over those before it.
pub(super) fn files(variables: &mut Variables<'_>, inputs: &Inputs, report: &mut Report<'_>) {
    for file in &inputs.files {
        let source = Arc::new(file.clone());
        report.elsewhere(&source, |report| {
            // What is wrong with a file was reported.
            let Ok(values) = read(&source, report) else {
                return;
            };
            for (name, value, place) in values {
                match variables.get_mut(&name) {
                    Some(variable) => {
                        let kind = variable.kind.as_ref();
                        let value = value.and_then(|value| {
                            fitting(&name, value, kind, &place, Origin::File, report)
                        });
                        assign(variable, value, place, Origin::File, &source);
                    }
                    None if inputs.undeclared == Undeclared::Ignored => {}
                    None => undeclared(&name, place, variables, report),
                }
            }
        });
    }
}

fn undeclared(name: &str, place: Span, variables: &Variables<'_>, report: &mut Report<'_>) {
    let near = nearest(name, variables.keys().map(String::as_str));
    let detail = format!(
        "A {name:?} variable was set but was not found in known variables. To declare variable {name:?}, place this block in your job file: variable {name:?} {{}}."
    );
    let mut undefined = Diagnostic::new(UNDEFINED_VARIABLE, place, detail);
    undefined.fix = near.map(str::to_owned);
    report.add(undefined);
}

/// A name, its value and the place of that.
type Given = (String, Result<Value, Reported>, Span);

fn read(source: &Source, report: &mut Report<'_>) -> Result<Vec<Given>, Reported> {
    if source.text.len() > syntax::MAX_BYTES {
        return Err(report.add(syntax::too_large()));
    }
    // No HCL begins with a brace, whatever space stands before it.
    let text = syntax::without_byte_order_mark(&source.text);
    if syntax::is_json(text.trim_start()) {
        return json(&text, report);
    }
    let body = syntax::parse(&source.text).map_err(|mistake| report.add(*mistake))?;
    declarations(&body, report)?;
    let given = attributes(&body, report).into_iter().map(|attribute| {
        let value = constant(report, |report| typed(&attribute.value, report));
        (
            attribute.key.as_str().to_owned(),
            value,
            span(&attribute.value),
        )
    });
    Ok(given.collect())
}

/// People put declarations where values belong.
fn declarations(body: &Body, report: &mut Report<'_>) -> Result<(), Reported> {
    let mut result = Ok(());
    for block in body
        .blocks()
        .filter(|block| block.ident.as_str() == "variable")
    {
        let name = block.labels.first().map_or("name", |label| label.as_str());
        let detail = format!(
            "A .var file is used to assign values to variables that have already been declared in job files, not to declare new variables. To declare variable {name:?}, place this block in your job file; to set it here, write {name} = VALUE."
        );
        result = Err(report.error(DECLARATION_AMONG_VALUES, span(&block.ident), detail));
    }
    result
}

/// An object of names and values; texts are no templates here.
fn json(text: &str, report: &mut Report<'_>) -> Result<Vec<Given>, Reported> {
    let whole = 0..text.len();
    match json_value(text) {
        Ok(Value::Object(values)) => {
            report.spend(values.values().map(Value::weight).sum(), &whole)?;
            let mut places = json_keys(text);
            let mut place = |name: &str| places.remove(name).unwrap_or(whole.clone());
            Ok(values
                .into_iter()
                .map(|(name, value)| (name.clone(), Ok(value), place(&name)))
                .collect())
        }
        Ok(_) => Err(report.error(
            INVALID_VARIABLE_FILE,
            whole,
            "A file of variables in JSON is one object.",
        )),
        Err(why) => {
            let detail = format!("This is not JSON: {why}.");
            Err(report.error(INVALID_VARIABLE_FILE, whole, detail))
        }
    }
}
