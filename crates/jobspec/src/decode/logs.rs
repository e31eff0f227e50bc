//! `logs`.

use hcl_edit::structure::Block;

use super::no_labels;
use crate::codes::*;
use crate::fields::{Fields, header};
use crate::report::{Report, Reported};
use crate::schema::LOGS;
use crate::{Logs, Span};

/// Reads `logs`, or takes Nomad's defaults. All files together must fit on the group's disk, those of a task that says nothing, too.
pub(crate) fn logs(
    block: Option<&Block>,
    task: Span,
    disk_mb: u64,
    report: &mut Report<'_>,
) -> Result<Logs, Reported> {
    let Some(block) = block else {
        return fits(Logs::default(), disk_mb, task, report);
    };
    report.inside("logs".to_owned(), |report| {
        no_labels(block, report);
        let fields = Fields::of(&block.body, header(block), &LOGS, report);
        let default = Logs::default();
        let files = amount(&fields, "max_files", default.max_files, report);
        let size = amount(&fields, "max_file_size", default.max_file_size_mb, report);
        let disabled = fields.flag("disabled", report);
        let logs = Logs {
            max_files: files?,
            max_file_size_mb: size?,
            disabled: disabled?.is_some_and(|disabled| disabled.value),
        };
        fits(logs, disk_mb, header(block), report)
    })
}

fn amount(
    fields: &Fields<'_>,
    name: &str,
    default: u32,
    report: &mut Report<'_>,
) -> Result<u32, Reported> {
    let Some(given) = fields.integer(name, report)? else {
        return Ok(default);
    };
    match u32::try_from(given.value) {
        Ok(amount) if amount > 0 => Ok(amount),
        _ => {
            let detail = format!("\"{name}\" must be 1 at least; got {}.", given.value);
            Err(report.error_at(INVALID_LOGS, &given, detail))
        }
    }
}

fn fits(logs: Logs, disk_mb: u64, place: Span, report: &mut Report<'_>) -> Result<Logs, Reported> {
    let usage = u64::from(logs.max_files) * u64::from(logs.max_file_size_mb);
    if usage < disk_mb {
        return Ok(logs);
    }
    let detail = format!(
        "log storage ({usage} MB) must be less than requested disk capacity ({disk_mb} MB)."
    );
    Err(report.error(INVALID_LOGS, place, detail))
}
