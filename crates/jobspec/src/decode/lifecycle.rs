//! `lifecycle`, and what it asks of the tasks of a group together.

use hcl_edit::structure::Block;

use super::no_labels;
use crate::codes::*;
use crate::diagnostic::Diagnostic;
use crate::fields::{Fields, header};
use crate::report::{Report, Reported};
use crate::schema::LIFECYCLE;
use crate::suggest::nearest;
use crate::{Hook, Lifecycle, Span, Task};

const HOOKS: [&str; 3] = ["prestart", "poststart", "poststop"];

/// Reads `lifecycle`; a task without one is a main task.
pub(crate) fn lifecycle(
    block: Option<&Block>,
    report: &mut Report<'_>,
) -> Result<Option<Lifecycle>, Reported> {
    let Some(block) = block else { return Ok(None) };
    report.inside("lifecycle".to_owned(), |report| {
        no_labels(block, report);
        let fields = Fields::of(&block.body, header(block), &LIFECYCLE, report);
        let sidecar = fields.flag("sidecar", report);
        let hook = hook(&fields, report)?;
        let sidecar = sidecar?.is_some_and(|sidecar| sidecar.value);
        Ok(Some(Lifecycle { hook, sidecar }))
    })
}

fn hook(fields: &Fields<'_>, report: &mut Report<'_>) -> Result<Hook, Reported> {
    let text = fields.required_text("hook", report)?;
    Ok(match text.value.as_str() {
        "prestart" => Hook::Prestart,
        "poststart" => Hook::Poststart,
        "poststop" => Hook::Poststop,
        other => {
            let detail = format!(
                "{other:?} is no lifecycle hook; there are prestart, poststart and poststop."
            );
            let mut invalid = Diagnostic::new(INVALID_LIFECYCLE, text.span, detail);
            invalid.fix = nearest(other, HOOKS).map(|hook| format!("\"{hook}\""));
            return Err(report.add(invalid));
        }
    })
}

/// A group has one main task at least and one leader at most.
pub(crate) fn check_group(
    group: &str,
    header: &Span,
    tasks: &[Task],
    report: &mut Report<'_>,
) -> Result<(), Reported> {
    let mut leaders = tasks.iter().filter(|task| task.leader);
    let mut result = Ok(());
    if let (Some(_), Some(second)) = (leaders.next(), leaders.next()) {
        let detail = "Only one task may be marked as leader.";
        result = Err(report.error(INVALID_LIFECYCLE, second.span.clone(), detail));
    }
    if tasks.iter().all(|task| task.lifecycle.is_some()) {
        let detail =
            format!("Task group {group} must have at least one main task: one without lifecycle.");
        result = Err(report.error(INVALID_LIFECYCLE, header.clone(), detail));
    }
    result
}
