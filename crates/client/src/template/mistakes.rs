//! What can be said of templates before anything is made, each mistake with its place in the job file.
use jobspec::{Change, Diagnostic, Span, Task, Template, TemplateText};

use super::blocks::mistake;
use super::render::Trouble;
use crate::config::{Code, diagnostic};
use crate::place::{Escape, Views};
use crate::signals;

/// Every mistake in the templates of a task, as far as its environment is known.
pub(crate) fn mistakes<'v>(
    task: &Task,
    views: &Views,
    value: impl Fn(&str) -> Option<&'v str>,
) -> Vec<Diagnostic> {
    let templates = task.templates.iter();
    let found = templates.flat_map(|template| {
        [
            mistake(template).map(|trouble| of_text(template, &trouble)),
            of_destination(template, views, &value),
            of_source(template, views, &value),
            of_signal(template),
        ]
    });
    let within = format!("task {:?} template", task.name);
    found
        .flatten()
        .map(|(detail, span)| diagnostic(Code::Template, detail, span, within.clone()))
        .collect()
}

type Mistake = (String, Span);

fn of_text(template: &Template, trouble: &Trouble) -> Mistake {
    let name = &template.destination.value;
    (
        format!("template {name}:{trouble}"),
        place_of(template, trouble),
    )
}

/// Where a mistake stands in the job file: the words themselves where the line is there as it is, else the line, else
/// the text.
fn place_of(template: &Template, trouble: &Trouble) -> Span {
    let TemplateText::Data { text, lines } = &template.from else {
        return template.span.clone();
    };
    let index = trouble.line - 1;
    let (Some(line), Some(value)) = (lines.get(index), text.value.lines().nth(index)) else {
        return text.span.clone();
    };
    if line.len() != value.len() {
        return line.clone();
    }
    let start = (line.start + trouble.column).min(line.end);
    start..(start + trouble.length).min(line.end)
}

fn of_destination<'v>(
    template: &Template,
    views: &Views,
    value: impl Fn(&str) -> Option<&'v str>,
) -> Option<Mistake> {
    let written = &template.destination;
    let detail = match views.argument(&written.value, value) {
        Err(Escape) => format!(
            "template destination path escapes alloc directory: {}; write below local, secrets, or another directory of \
             the task, or below alloc",
            written.value
        ),
        Ok(place) if place.below.is_empty() || written.value.ends_with('/') => {
            format!(
                "the destination {} is a directory; name a file in it",
                written.value
            )
        }
        Ok(_) => return None,
    };
    Some((detail, written.span.clone()))
}

fn of_source<'v>(
    template: &Template,
    views: &Views,
    value: impl Fn(&str) -> Option<&'v str>,
) -> Option<Mistake> {
    let TemplateText::Source(source) = &template.from else {
        return None;
    };
    match views.argument(&source.value, value) {
        Err(Escape) => Some((
            format!(
                "template source path escapes alloc directory: {}; an artifact can bring a file there",
                source.value
            ),
            source.span.clone(),
        )),
        Ok(_) => None,
    }
}

fn of_signal(template: &Template) -> Option<Mistake> {
    match &template.change {
        Change::Signal(signal) if !signals::is_known(&signal.value) => Some((
            format!(
                "change_signal {:?} is no signal; SIGHUP, SIGINT and SIGUSR1 are",
                signal.value
            ),
            signal.span.clone(),
        )),
        _ => None,
    }
}
