//! HCL text to a job, with positions for errors.
//!
//! # Does not
//! know Linux: what a value does to a process is nobody's business here.

mod job;

pub use job::*;

/// Parses and checks one job file.
///
/// # Errors
/// All mistakes that could be found, each with its place; never just the first.
pub fn parse(_file: &str, _text: &str) -> Result<Job, Vec<Diagnostic>> {
    todo!()
}
