//! A task's `config {}`: from the job file to the driver, evaluated once more, and the driver's complaints back to their places.
use driver::options::{self, Mismatch, Values};
use driver::{StartError, Warning};
use jobspec::{Config, Diagnostic, Scope, Span, Task, Value};

/// What the driver is handed: `config {}` evaluated with what is known of the task and its node.
///
/// # Errors
/// What cannot be evaluated, with its place.
pub fn values(task: &Task, scope: &Scope) -> Result<Values, Vec<Diagnostic>> {
    match jobspec::evaluate(&task.config, scope) {
        Ok(values) => Ok(values.iter().map(|(k, v)| (k.clone(), value(v))).collect()),
        Err(mistakes) => Err(mistakes
            .into_iter()
            .map(|mistake| within(mistake, task))
            .collect()),
    }
}

/// A `config {}` of the operator's, which is evaluated once.
pub(crate) fn as_written(config: &Config) -> Values {
    config
        .attributes
        .iter()
        .map(|(name, attribute)| (name.clone(), value(&attribute.value)))
        .collect()
}

fn within(mistake: Diagnostic, task: &Task) -> Diagnostic {
    let argument = mistake.context.unwrap_or_default();
    Diagnostic {
        context: Some(format!("task {:?} {argument}", task.name)),
        ..mistake
    }
}

fn value(from: &Value) -> options::Value {
    match from {
        Value::Null => options::Value::Null,
        Value::Bool(yes) => options::Value::Bool(*yes),
        Value::Number(number) => options::Value::Number(*number),
        Value::String(text) => options::Value::String(text.clone()),
        Value::List(items) => options::Value::List(items.iter().map(value).collect()),
        Value::Object(entries) => options::Value::Map(
            entries
                .iter()
                .map(|(key, item)| (key.clone(), value(item)))
                .collect(),
        ),
    }
}

/// The place of what the driver complains about, where it is a mistake in the job file.
pub(crate) fn mistake(error: &StartError, task: &Task) -> Option<Diagnostic> {
    match error {
        StartError::Mismatch(mismatch) => Some(of_mismatch(mismatch, task)),
        StartError::Value { option, message } => Some(diagnostic(
            Code::Value,
            message.clone(),
            place(task, option).unwrap_or(task.config.span.clone()),
            config_of(task),
        )),
        StartError::User(message) => {
            let span = task
                .user
                .as_ref()
                .map_or(task.span.clone(), |user| user.span.clone());
            Some(diagnostic(
                Code::User,
                message.clone(),
                span,
                format!("task {:?}", task.name),
            ))
        }
        _ => None,
    }
}

/// The place of what has a price.
pub(crate) fn warning(warning: &Warning, task: &Task) -> Diagnostic {
    diagnostic(
        Code::Price,
        format!("{}: {}", warning.option, warning.message),
        place(task, warning.option).unwrap_or(task.config.span.clone()),
        config_of(task),
    )
}

/// The place that a failed start is told with: the option that is to blame, else the task.
pub(crate) fn to_blame(error: &StartError, task: &Task) -> Span {
    let option = error.option().and_then(|option| place(task, option));
    option.unwrap_or_else(|| task.span.clone())
}

/// What kind of mistake it is.
#[derive(Clone, Copy)]
pub(crate) enum Code {
    Mismatch,
    Value,
    User,
    KillSignal,
    Volume,
    Constraint,
    Port,
    Template,
    Artifact,
    Node,
    Price,
    Elsewhere,
}

impl Code {
    fn stable(self) -> &'static str {
        match self {
            Code::Mismatch => "E2001",
            Code::Value => "E2002",
            Code::User => "E2003",
            Code::KillSignal => "E2004",
            Code::Volume => "E2010",
            Code::Constraint => "E2011",
            Code::Port => "E2012",
            Code::Template => "E2020",
            Code::Artifact => "E2030",
            Code::Node => "E2101",
            Code::Price => "W2001",
            Code::Elsewhere => "W2002",
        }
    }

    fn summary(self) -> &'static str {
        match self {
            Code::Mismatch => "Unsuitable driver configuration",
            Code::Value => "Invalid driver configuration",
            Code::User => "Unusable user",
            Code::KillSignal => "Unknown signal",
            Code::Volume => "Unusable volume mount",
            Code::Constraint => "Constraint not met",
            Code::Port => "Port not available",
            Code::Template => "Invalid template",
            Code::Artifact => "Invalid artifact",
            Code::Node => "Invalid configuration",
            Code::Price => "Weaker isolation",
            Code::Elsewhere => "For another node",
        }
    }
}

pub(crate) fn diagnostic(code: Code, detail: String, span: Span, within: String) -> Diagnostic {
    Diagnostic {
        code: code.stable(),
        summary: code.summary().to_owned(),
        detail,
        span,
        context: Some(within),
        fix: None,
        source: None,
    }
}

/// An option may be inside another (`args[1]`): the outermost name is what has a place.
fn of_mismatch(mismatch: &Mismatch, task: &Task) -> Diagnostic {
    let outer = mismatch.option.split(['[', '.']).next().unwrap_or_default();
    let span = place(task, outer).unwrap_or(task.config.span.clone());
    diagnostic(
        Code::Mismatch,
        format!("{}: {}", mismatch.option, mismatch.reason),
        span,
        config_of(task),
    )
}

/// A wrong value is shown itself; of an unknown name there is only the name to show.
fn place(task: &Task, option: &str) -> Option<Span> {
    let attribute = task.config.attributes.get(option)?;
    let known = driver::Kind::from_name(&task.driver.value)
        .is_some_and(|kind| kind.task_options().iter().any(|opt| opt.name == option));
    Some(if known {
        attribute.value_span.clone()
    } else {
        attribute.name_span.clone()
    })
}

fn config_of(task: &Task) -> String {
    format!("task {:?} config", task.name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeMap;

    use jobspec::{Attribute, Spanned};

    use super::*;
    use crate::samples;

    fn task(attribute: (&str, Value)) -> Task {
        let mut task = samples::task();
        task.config.span = 10..90;
        let written = Attribute {
            name_span: 20..27,
            value_span: 30..36,
            value: attribute.1,
            origins: Vec::new(),
        };
        task.config
            .attributes
            .insert(attribute.0.to_owned(), written);
        task
    }

    fn mismatch(option: &str) -> StartError {
        StartError::Mismatch(Mismatch {
            option: option.to_owned(),
            reason: "a string is required".to_owned(),
        })
    }

    #[test]
    fn values_keep_their_shape() {
        let nested = Value::Object(BTreeMap::from([(
            "k".to_owned(),
            Value::List(vec![Value::Bool(true), Value::Null]),
        )]));
        let list = options::Value::List(vec![options::Value::Bool(true), options::Value::Null]);
        let expected = options::Value::Map(BTreeMap::from([("k".to_owned(), list)]));
        let task = task(("args", nested));
        let values = values(&task, &Scope::default()).unwrap();
        assert_eq!(values["args"], expected);
    }

    #[test]
    fn what_cannot_be_evaluated_is_in_a_task() {
        let task = task(("command", Value::String("${nope}".to_owned())));
        let mistakes = values(&task, &Scope::default()).unwrap_err();
        assert_eq!(mistakes[0].span, 30..36);
        assert_eq!(
            mistakes[0].context.as_deref(),
            Some("task \"python\" config \"command\"")
        );
    }

    #[test]
    fn a_value_of_a_wrong_type_is_pointed_at() {
        let task = task(("command", Value::Bool(true)));
        let found = mistake(&mismatch("command"), &task).unwrap();
        assert_eq!(
            (found.span, found.detail.as_str()),
            (30..36, "command: a string is required")
        );
        assert_eq!(found.context.unwrap(), "task \"python\" config");
    }

    #[test]
    fn an_element_is_pointed_at_by_its_list() {
        let task = task(("args", Value::List(vec![Value::Bool(true)])));
        assert_eq!(mistake(&mismatch("args[0]"), &task).unwrap().span, 30..36);
    }

    #[test]
    fn an_unknown_name_is_pointed_at_itself() {
        let task = task(("comand", Value::Null));
        assert_eq!(mistake(&mismatch("comand"), &task).unwrap().span, 20..27);
    }

    #[test]
    fn what_is_missing_is_missing_in_the_block() {
        let task = task(("args", Value::List(vec![])));
        assert_eq!(mistake(&mismatch("command"), &task).unwrap().span, 10..90);
    }

    #[test]
    fn a_wrong_user_is_pointed_at() {
        let mut task = samples::task();
        task.user = Some(Spanned {
            value: "nosuch".to_owned(),
            span: 5..9,
        });
        assert_eq!(
            mistake(&StartError::User("unknown user".to_owned()), &task)
                .unwrap()
                .span,
            5..9
        );
    }

    #[test]
    fn a_failing_host_is_no_mistake_in_the_file() {
        assert_eq!(
            mistake(&StartError::NotFound("x".to_owned()), &samples::task()),
            None
        );
    }
}
