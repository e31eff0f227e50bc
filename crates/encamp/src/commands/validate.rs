//! `encamp validate`: is the job file right, as far as that can be said without running it?
use crate::cli::{Global, Validate};
use crate::commands::read_job;
use crate::failure::Failure;
use crate::terminal;

pub(crate) fn run(validate: &Validate, global: &Global) -> Result<u8, Failure> {
    let (file, job) = read_job(&validate.file)?;
    let settings = global.settings()?;
    match client::check(&job, &settings) {
        Ok(()) => {
            if !global.quiet {
                terminal::say(&format!("{}: the job is valid\n", file.name));
            }
            Ok(0)
        }
        Err(source) => Err(Failure::Client {
            file,
            source: Box::new(source),
        }),
    }
}
