//! HCL text to a job, with positions for errors.
//!
//! # Order
//! `syntax` (text to tree) → `variables` (what `var` and `local` are) → `dynamic` (blocks written once for many) → `fields` (known
//! names only) → `eval` (expressions to values, with `functions` and the types of `cty`) → `decode` (Nomad's defaults and checks). Each says what it finds wrong to one `report`, so that all mistakes come out together; only a
//! file that is not HCL at all ends with its first. A name that nothing in the file defines stays as `${name}`; in
//! `config` such names are looked up by [`evaluate`], once the task's environment is known.
//!
//! # Does not
//! know Linux: what a value does to a process is nobody's business here.

#![forbid(unsafe_code)]

pub mod agent;
mod call;
mod codes;
mod complaint;
mod comprehension;
mod constraint;
mod convert;
mod cty;
mod decode;
mod diagnostic;
mod duration;
mod dynamic;
mod eval;
mod fields;
mod functions;
mod heredoc;
mod inputs;
mod job;
mod names;
mod operators;
mod outline;
mod refusal;
mod report;
mod runtime;
mod schema;
mod scope;
mod shell;
mod steps;
mod suggest;
mod syntax;
mod template;
mod traversal;
mod typed;
mod variables;
#[cfg(test)]
mod vectors;

pub use codes::{CODES, Code};
pub use diagnostic::{Diagnostic, OneLine, Source, place};
pub use duration::duration;
pub use inputs::{Inputs, Undeclared};
pub use job::*;
pub use runtime::evaluate;
pub use scope::Scope;
pub use syntax::MAX_BYTES;

/// Parses and checks one job file that is given nothing: its variables have their defaults. `file` is its name in messages.
///
/// # Errors
/// All mistakes that could be found, each with its place; never just the first.
pub fn parse(file: &str, text: &str) -> Result<Job, Vec<Diagnostic>> {
    parse_with(file, text, &Inputs::default())
}

/// Parses and checks one job file with values for its variables.
///
/// # Errors
/// As [`parse`]; a mistake in a value is in the [`Source`] that the value came from.
pub fn parse_with(file: &str, text: &str, inputs: &Inputs) -> Result<Job, Vec<Diagnostic>> {
    let body = syntax::parse(text).map_err(|diagnostic| vec![*diagnostic])?;
    let mut report = report::Report::new(file, text);
    variables::define(&body, inputs, &mut report);
    let body = dynamic::expand(body, &mut report);
    match decode::file(&body, text.len(), &mut report) {
        Ok(mut job) if report.is_empty() => {
            job.warnings = report.into_warnings();
            Ok(job)
        }
        _ => Err(report.into_diagnostics()),
    }
}
