//! HCL text to a job, with positions for errors.
//!
//! # Order
//! `syntax` (text to tree) → `fields` (known names only) → `eval` (expressions to values) → `decode` (Nomad's
//! defaults and checks). Each says what it finds wrong to one `report`, so that all mistakes come out together; only a
//! file that is not HCL at all ends with its first. A name that nothing in the file defines stays as `${name}`; in
//! `config` such names are looked up by [`evaluate`], once the task's environment is known.
//!
//! # Does not
//! know Linux: what a value does to a process is nobody's business here.

#![forbid(unsafe_code)]

pub mod agent;
mod codes;
mod complaint;
mod constraint;
mod convert;
mod decode;
mod diagnostic;
mod duration;
mod eval;
mod fields;
mod heredoc;
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
mod suggest;
mod syntax;
mod template;
mod traversal;
mod typed;

pub use codes::{CODES, Code};
pub use diagnostic::{Diagnostic, OneLine, place};
pub use duration::duration;
pub use job::*;
pub use runtime::evaluate;
pub use scope::Scope;

/// Parses and checks one job file. `file` is its name in messages.
///
/// # Errors
/// All mistakes that could be found, each with its place; never just the first.
pub fn parse(file: &str, text: &str) -> Result<Job, Vec<Diagnostic>> {
    let body = syntax::parse(text).map_err(|diagnostic| vec![*diagnostic])?;
    let mut report = report::Report::new(file, text);
    match decode::file(&body, text.len(), &mut report) {
        Ok(mut job) if report.is_empty() => {
            job.warnings = report.into_warnings();
            Ok(job)
        }
        _ => Err(report.into_diagnostics()),
    }
}
