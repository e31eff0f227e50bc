//! How mistakes and failures are written: what, where, why, and the way out.
use std::error::Error;
use std::fmt::Write;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use client::Subject;
use client::runs::ListError;
use jobspec::Diagnostic;

use crate::commands::JobFile;
use crate::failure::Failure;
use crate::terminal;

/// How it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// One line for each mistake, as Nomad writes it.
    Lines,
    /// With the lines of the file.
    Snippets,
    /// With colours, too.
    Colors,
}

impl Style {
    /// What suits standard error.
    pub(crate) fn suitable(no_color: bool) -> Style {
        match (terminal::is_interactive(), terminal::has_color(no_color)) {
            (false, _) => Style::Lines,
            (true, false) => Style::Snippets,
            (true, true) => Style::Colors,
        }
    }
}

/// The whole message of a failed command.
pub(crate) fn failure(failure: &Failure, style: Style) -> String {
    match failure {
        Failure::Parse { file, mistakes } => diagnostics(mistakes, file, style),
        Failure::Config { files, mistakes } => mistakes
            .iter()
            .map(|found| diagnostic(&found.mistake, &files[found.file], style))
            .collect(),
        Failure::Client { file, source } => match source.as_ref() {
            client::Error::Job(mistakes) | client::Error::Unmet(mistakes) => {
                diagnostics(mistakes, file, style)
            }
            source => {
                let place = source
                    .subject()
                    .map(|subject| place(subject, file))
                    .unwrap_or_default();
                chain(source, &place, source.way_out().as_deref())
            }
        },
        Failure::List(ListError::NotRoot { .. }) => {
            chain(failure, "", Some("run it as root: sudo encamp ps"))
        }
        other => chain(other, "", None),
    }
}

fn diagnostics(mistakes: &[Diagnostic], file: &JobFile, style: Style) -> String {
    mistakes
        .iter()
        .map(|mistake| diagnostic(mistake, file, style))
        .collect()
}

/// What a valid job is warned of.
pub(crate) fn warnings(warnings: &[Diagnostic], file: &JobFile, style: Style) -> String {
    let one = |warning: &Diagnostic| match style {
        Style::Lines => format!("Warning: {}\n", warning.one_line(&file.name, &file.text)),
        Style::Snippets => snippet(warning, Level::WARNING, file, &Renderer::plain()),
        Style::Colors => snippet(warning, Level::WARNING, file, &Renderer::styled()),
    };
    warnings.iter().map(one).collect()
}

/// `Error: what`, then the causes, each on a line of its own, then the way out.
pub(crate) fn chain(error: &dyn Error, place: &str, way_out: Option<&str>) -> String {
    let mut text = format!("Error: {place}{}\n", driver::causes(error).join("\n  "));
    if let Some(way_out) = way_out {
        let _ = writeln!(text, "  {way_out}");
    }
    text
}

/// `task "redis" (docker.nomad.hcl:14): `
fn place(subject: &Subject, file: &JobFile) -> String {
    let before = file.text.get(..subject.span.start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    format!("task {:?} ({}:{line}): ", subject.task, file.name)
}

fn diagnostic(mistake: &Diagnostic, file: &JobFile, style: Style) -> String {
    match style {
        Style::Lines => format!("{}\n", mistake.one_line(&file.name, &file.text)),
        Style::Snippets => snippet(mistake, Level::ERROR, file, &Renderer::plain()),
        Style::Colors => snippet(mistake, Level::ERROR, file, &Renderer::styled()),
    }
}

fn snippet(
    mistake: &Diagnostic,
    level: Level<'static>,
    file: &JobFile,
    renderer: &Renderer,
) -> String {
    let (name, text) = mistake.place_in(&file.name, &file.text);
    let span = fitting(mistake, text);
    let annotation = AnnotationKind::Primary.span(span).label(
        mistake
            .context
            .as_deref()
            .map(|within| format!("in {within}")),
    );
    let source = Snippet::source(text).path(name).annotation(annotation);
    let title = level.primary_title(&mistake.summary).id(mistake.code);
    let mut group = title
        .element(source)
        .element(Level::NOTE.message(&mistake.detail));
    if let Some(fix) = &mistake.fix {
        group = group.element(Level::HELP.message(format!("write {fix}")));
    }
    format!("{}\n", renderer.render(&[group]))
}

/// A span that lies in the text, on whole characters.
fn fitting(mistake: &Diagnostic, text: &str) -> std::ops::Range<usize> {
    let floor = |offset: usize| {
        (0..=offset.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0)
    };
    let start = floor(mistake.span.start);
    start..floor(mistake.span.end).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> JobFile {
        JobFile {
            name: "a.nomad.hcl".to_owned(),
            text: "job \"a\" {\n  surprise = 1\n}\n".to_owned(),
        }
    }

    fn mistake() -> Diagnostic {
        Diagnostic {
            code: "E1001",
            summary: "Unsupported argument".to_owned(),
            detail: "nobody expects it".to_owned(),
            span: 12..20,
            context: Some("job \"a\"".to_owned()),
            fix: Some("nothing".to_owned()),
            source: None,
        }
    }

    #[test]
    fn without_a_terminal_a_mistake_is_one_line() {
        let failure_ = Failure::Parse {
            file: file(),
            mistakes: vec![mistake()],
        };
        assert_eq!(
            failure(&failure_, Style::Lines),
            "a.nomad.hcl:2,3-11: Unsupported argument; nobody expects it\n"
        );
    }

    #[test]
    fn on_a_terminal_the_line_is_shown() {
        let failure_ = Failure::Parse {
            file: file(),
            mistakes: vec![mistake()],
        };
        let text = failure(&failure_, Style::Snippets);
        for part in [
            "error[E1001]: Unsupported argument",
            "a.nomad.hcl:2:3",
            "surprise = 1",
            "^^^^^^^^",
            "nobody expects it",
            "write nothing",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_failure_names_the_task_its_place_and_the_way_out() {
        let subject = Subject {
            task: "redis".to_owned(),
            span: 12..13,
        };
        let source = Box::new(client::Error::UnknownDriver {
            subject,
            driver: "docker".to_owned(),
        });
        let expected = "Error: task \"redis\" (a.nomad.hcl:2): driver \"docker\" is not available here\n  this machine runs exec and exec2\n";
        assert_eq!(
            failure(
                &Failure::Client {
                    file: file(),
                    source
                },
                Style::Lines
            ),
            expected
        );
    }

    #[test]
    fn causes_are_told_once() {
        let source = driver::StartError::Host {
            act: "mount /proc".to_owned(),
            source: "permission denied".into(),
        };
        let subject = Subject {
            task: "t".to_owned(),
            span: 0..1,
        };
        let text = chain(&client::Error::Start { subject, source }, "", None);
        assert_eq!(text, "Error: mount /proc\n  permission denied\n");
    }

    #[test]
    fn a_span_outside_the_text_does_no_harm() {
        let mistake = Diagnostic {
            span: 4000..4001,
            ..mistake()
        };
        assert!(
            snippet(&mistake, Level::ERROR, &file(), &Renderer::plain()).contains("Unsupported")
        );
    }
}
