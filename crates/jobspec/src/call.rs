//! Calls of functions: which one, its arguments as it wants them, and what it makes of them.

use hcl_edit::expr::{Expression, FuncCall, FuncName};

use crate::codes::*;
use crate::cty::{self, Openness, Type, Value};
use crate::diagnostic::Diagnostic;
use crate::eval::{span, typed};
use crate::functions::{self, Function, Parameter};
use crate::names::Functions;
use crate::report::{Report, Reported};
use crate::suggest::nearest;
use crate::{Span, convert};

/// Why a function has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// One of its arguments, counted from 0, is not right.
    Argument(usize, String),
    /// They do not go together, or something else went wrong.
    Call(String),
    /// It was reported already.
    Reported,
}

impl From<Reported> for Failure {
    fn from(Reported: Reported) -> Self {
        Failure::Reported
    }
}

/// A call that fails for that reason.
pub(crate) fn failed<T>(why: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Call(why.into()))
}

/// What a function has to work with beside its arguments.
pub(crate) struct Call<'c, 'r> {
    pub(crate) report: &'c mut Report<'r>,
    place: Span,
}

impl Call<'_, '_> {
    /// Takes note of work to be done, before it is done: about one step for each byte that comes out.
    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), Failure> {
        self.report.spend(steps, &self.place)?;
        Ok(())
    }

    /// The value as that type.
    pub(crate) fn convert(&mut self, value: Value, wanted: &Type) -> Result<Value, Failure> {
        let converted = self.report.convert(value, wanted, &self.place)?;
        converted.map_err(Failure::Call)
    }

    /// The type that all of these can be made, if there is one.
    pub(crate) fn unify(&mut self, types: &[Type]) -> Result<Option<Type>, Failure> {
        Ok(self.report.unify(types, &self.place)?)
    }
}

/// Evaluates a call.
pub(crate) fn call(
    call: &FuncCall,
    whole: &Span,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let name = call.name.name.as_str();
    if *report.names.functions() == Functions::Forbidden {
        let forbidden = Diagnostic::new(
            CONSTANT_REQUIRED,
            whole.clone(),
            "Functions may not be called here.",
        );
        return Err(report.add(forbidden.summary("Function calls not allowed")));
    }
    if !call.name.namespace.is_empty() {
        return Err(no_namespace(&call.name, report));
    }
    let in_config = *report.names.functions() == Functions::Config;
    match name {
        "try" if !in_config => attempts(call, whole, report),
        "can" if !in_config => can(call, whole, report),
        "convert" if !in_config => conversion(call, whole, report),
        _ => match functions::find(name, report.names.functions()) {
            Some(function) => ordinary(function, call, whole, report),
            None => Err(unknown(call, report)),
        },
    }
}

/// Only functions of providers have names such as `provider::name`, and Nomad has none.
pub(crate) fn no_namespace(name: &FuncName, report: &mut Report<'_>) -> Reported {
    let parts: Vec<&str> = name.namespace.iter().map(|part| part.as_str()).collect();
    let detail = format!(
        "There are no functions in namespace \"{}::\".",
        parts.join("::")
    );
    report.error(UNKNOWN_FUNCTION, span(&name.name), detail)
}

fn unknown(call: &FuncCall, report: &mut Report<'_>) -> Reported {
    let name = call.name.name.as_str();
    let near = nearest(name, functions::names(report.names.functions()));
    let mut detail = format!("There is no function named {name:?}.");
    if let Some(near) = near {
        detail += &format!(" Did you mean {near:?}?");
    }
    let mut diagnostic = Diagnostic::new(UNKNOWN_FUNCTION, span(&call.name.name), detail);
    diagnostic.fix = near.map(str::to_owned);
    report.add(diagnostic)
}

fn ordinary(
    function: &Function,
    call: &FuncCall,
    whole: &Span,
    report: &mut Report<'_>,
) -> Result<Value, Reported> {
    let (arguments, places) = arguments(call, report)?;
    counted(function, arguments.len(), call, whole, report)?;
    let arguments = suitable(function, arguments, &places, report)?;
    report.spend(arguments.iter().map(Value::weight).sum(), whole)?;
    let mut context = Call {
        report,
        place: whole.clone(),
    };
    let result = (function.run)(arguments, &mut context);
    match result {
        Ok(value) => {
            report.spend(value.weight(), whole)?;
            Ok(value)
        }
        Err(Failure::Reported) => Err(Reported),
        Err(Failure::Argument(at, why)) => {
            let place = places.get(at).or(places.last()).unwrap_or(whole).clone();
            Err(unsuitable(function.parameter(at), place, &why, report))
        }
        Err(Failure::Call(why)) => Err(failure(function.name, whole, &why, report)),
    }
}

fn failure(name: &str, whole: &Span, why: &str, report: &mut Report<'_>) -> Reported {
    let detail = format!("Call to function {name:?} failed: {why}.");
    report.error(FUNCTION_FAILED, whole.clone(), detail)
}

fn unsuitable(
    parameter: Option<&Parameter>,
    place: Span,
    why: &str,
    report: &mut Report<'_>,
) -> Reported {
    let name = parameter.map_or("value", |parameter| parameter.name);
    let detail = format!("Invalid value for {name:?} parameter: {why}.");
    report.error(INVALID_FUNCTION_ARGUMENT, place, detail)
}

/// All arguments with their places; the items of an expanded one have its place.
fn arguments(
    call: &FuncCall,
    report: &mut Report<'_>,
) -> Result<(Vec<Value>, Vec<Span>), Reported> {
    let evaluated: Vec<_> = call
        .args
        .iter()
        .map(|argument| (typed(argument, report), span(argument)))
        .collect();
    let (mut values, mut places) = (Vec::new(), Vec::new());
    let last = evaluated.len();
    for (at, (value, place)) in evaluated.into_iter().enumerate() {
        let value = value?;
        if call.args.expand_final() && at + 1 == last {
            for item in expanded(&value, &place, report)? {
                values.push(item);
                places.push(place.clone());
            }
        } else {
            values.push(value);
            places.push(place);
        }
    }
    Ok((values, places))
}

fn expanded(value: &Value, place: &Span, report: &mut Report<'_>) -> Result<Vec<Value>, Reported> {
    let detail = match value.items() {
        Some(items) => return Ok(items.to_vec()),
        None if value.is_null() => "The expanding argument (indicated by ...) must not be null.",
        None => "The expanding argument (indicated by ...) must be of a tuple, list, or set type.",
    };
    Err(report.error(INVALID_EXPANSION, place.clone(), detail))
}

fn counted(
    function: &Function,
    count: usize,
    call: &FuncCall,
    whole: &Span,
    report: &mut Report<'_>,
) -> Result<(), Reported> {
    let wanted = function.parameters.len();
    let name = function.name;
    if count < wanted {
        let qualifier = if function.rest.is_some() {
            " at least"
        } else {
            ""
        };
        let missing = function.parameters[count].name;
        let detail = format!(
            "Function {name:?} expects{qualifier} {wanted} argument(s). Missing value for {missing:?}."
        );
        let few = Diagnostic::new(ARGUMENT_COUNT, whole.clone(), detail);
        return Err(report.add(few.summary("Not enough function arguments")));
    }
    if count > wanted && function.rest.is_none() {
        let detail = format!("Function {name:?} expects only {wanted} argument(s).");
        let place = call.args.get(wanted).map_or(whole.clone(), span);
        let many = Diagnostic::new(ARGUMENT_COUNT, place, detail);
        return Err(report.add(many.summary("Too many function arguments")));
    }
    Ok(())
}

/// The arguments in the types that the function wants.
fn suitable(
    function: &Function,
    arguments: Vec<Value>,
    places: &[Span],
    report: &mut Report<'_>,
) -> Result<Vec<Value>, Reported> {
    let mut suitable = Vec::with_capacity(arguments.len());
    let mut result = Ok(());
    for (at, argument) in arguments.into_iter().enumerate() {
        let Some(parameter) = function.parameter(at) else {
            continue;
        };
        let converted = if argument.is_null() && !parameter.may_be_null() {
            Err("argument must not be null".to_owned())
        } else {
            let place = places.get(at).cloned().unwrap_or_default();
            report.convert(argument, &parameter.wants(), &place)?
        };
        match converted {
            Ok(value) => suitable.push(value),
            Err(why) => {
                let place = places.get(at).cloned().unwrap_or_default();
                result = Err(unsuitable(Some(parameter), place, &why, report));
            }
        }
    }
    result.map(|()| suitable)
}

/// `try(a, b)`: the first that has a value.
fn attempts(call: &FuncCall, whole: &Span, report: &mut Report<'_>) -> Result<Value, Reported> {
    let mut reasons = String::new();
    for argument in call.args.iter() {
        match report.attempt(|report| typed(argument, report))? {
            Ok(value) => return Ok(value),
            Err(mistakes) => {
                for mistake in mistakes {
                    let place = report.place(&mistake.span);
                    reasons += &format!(" {} (at {place}): {}", mistake.summary, mistake.detail);
                }
            }
        }
    }
    let why = if call.args.is_empty() {
        "at least one argument is required".to_owned()
    } else {
        format!(
            "no expression succeeded:{reasons} At least one expression must produce a successful result"
        )
    };
    Err(failure("try", whole, &why, report))
}

/// `can(a)`: whether it has a value.
fn can(call: &FuncCall, whole: &Span, report: &mut Report<'_>) -> Result<Value, Reported> {
    let argument = exactly(call, ["expression"], "can", whole, report)?;
    let attempt = report.attempt(|report| typed(argument[0], report))?;
    Ok(Value::Bool(attempt.is_ok()))
}

/// `convert(value, type)`.
fn conversion(call: &FuncCall, whole: &Span, report: &mut Report<'_>) -> Result<Value, Reported> {
    let [value, kind] = exactly(call, ["value", "type"], "convert", whole, report)?;
    let kind = cty::constraint(kind, Openness::Open, report);
    let given = typed(value, report)?;
    let converted = report.convert(given, &kind?, whole)?;
    converted.map_err(|why| {
        let detail = format!("Invalid value for \"value\" parameter: {why}.");
        report.error(INVALID_FUNCTION_ARGUMENT, span(value), detail)
    })
}

fn exactly<'e, const N: usize>(
    call: &'e FuncCall,
    parameters: [&str; N],
    name: &str,
    whole: &Span,
    report: &mut Report<'_>,
) -> Result<[&'e Expression; N], Reported> {
    let given: Vec<&Expression> = call.args.iter().collect();
    let count = given.len();
    <[&Expression; N]>::try_from(given).map_err(|_| {
        let (summary, detail) = match parameters.get(count) {
            Some(missing) => (
                "Not enough function arguments",
                format!(
                    "Function {name:?} expects {N} argument(s). Missing value for {missing:?}."
                ),
            ),
            None => (
                "Too many function arguments",
                format!("Function {name:?} expects only {N} argument(s)."),
            ),
        };
        report.add(Diagnostic::new(ARGUMENT_COUNT, whole.clone(), detail).summary(summary))
    })
}

/// The text of a value that was made one by its parameter.
pub(crate) fn text(value: &Value) -> &str {
    match value {
        Value::String(text) => text,
        _ => "",
    }
}

/// The number of a value that was made one by its parameter.
pub(crate) fn number(value: &Value) -> f64 {
    convert::to_number(value).unwrap_or_default()
}

/// A whole number of such a value.
pub(crate) fn whole(value: &Value, at: usize) -> Result<i64, Failure> {
    let number = number(value);
    if number.fract() != 0.0 {
        return Err(Failure::Argument(
            at,
            format!("value must be a whole number, not {number}"),
        ));
    }
    // Numbers are below 2^53, so that the conversion loses nothing.
    Ok(number as i64)
}
