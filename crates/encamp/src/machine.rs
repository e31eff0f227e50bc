//! Diagnostics for machines, as documented in `encamp validate --help`.
use client::Checked;
use jobspec::Diagnostic;
use serde_json::{Value, json};

use crate::allowed;
use crate::commands::{JobFile, validate};

/// The document of a job that is right.
pub(crate) fn valid(file: &JobFile, tasks: &[Checked]) -> Value {
    let of_job = tasks
        .iter()
        .flat_map(|checked| &checked.warnings)
        .map(|warning| diagnostic(warning, "warning", file));
    let of_operator = validate::of_operator(tasks);
    let of_operator = of_operator.into_iter().map(|(_, warning)| {
        json!({
            "severity": "warning",
            "summary": warning.option,
            "detail": warning.message,
        })
    });
    json!({
        "valid": true,
        "diagnostics": of_job.chain(of_operator).collect::<Vec<_>>(),
        "tasks": tasks.iter().map(allowed::document).collect::<Vec<_>>(),
    })
}

/// The document of a job with mistakes.
pub(crate) fn invalid(file: &JobFile, mistakes: &[Diagnostic]) -> Value {
    let mistakes: Vec<_> = mistakes
        .iter()
        .map(|mistake| diagnostic(mistake, "error", file))
        .collect();
    json!({ "valid": false, "diagnostics": mistakes })
}

fn diagnostic(of: &Diagnostic, severity: &str, file: &JobFile) -> Value {
    let (line, column) = of.position(&file.text);
    let (end_line, end_column) = of.end_position(&file.text);
    json!({
        "severity": severity,
        "code": of.code,
        "summary": of.summary,
        "detail": of.detail,
        "context": of.context,
        "range": {
            "file": of.place_in(&file.name, &file.text).0, "line": line, "column": column,
            "end_line": end_line, "end_column": end_column,
        },
        "fix": of.fix,
    })
}
