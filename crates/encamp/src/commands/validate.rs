//! `encamp validate`: is the job file right, and what would its tasks be allowed, as far as that can be said without running it?
use client::Checked;
use driver::{Kind, Warning};
use jobspec::Diagnostic;

use crate::cli::{Global, Validate};
use crate::commands::{JobFile, Strictness, read_job};
use crate::failure::Failure;
use crate::report::{self, Style};
use crate::{allowed, machine, terminal};

pub(crate) fn run(validate: &Validate, global: &Global) -> Result<u8, Failure> {
    let settings = global.settings()?;
    let checked = read_job(&validate.file, &validate.variables).and_then(|(file, job)| {
        match client::check(&job, &settings) {
            Ok(mut checked) => {
                let warnings = client::warnings(&job, &settings);
                // Those of the whole job come first.
                if let Some(first) = checked.first_mut() {
                    first.warnings.splice(0..0, warnings);
                }
                let all = checked.iter().flat_map(|checked| checked.warnings.clone());
                Strictness::of(validate.strict).judge(all.collect(), &file)?;
                Ok((file, checked))
            }
            Err(source) => Err(Failure::Client {
                file,
                source: Box::new(source),
            }),
        }
    });
    if validate.json {
        return in_json(checked);
    }
    let (file, checked) = checked?;
    if !global.quiet {
        terminal::say(&in_words(&file, &checked, Style::suitable(global.no_color)));
    }
    Ok(0)
}

fn in_words(file: &JobFile, tasks: &[Checked], style: Style) -> String {
    let mut text = String::new();
    for checked in tasks {
        text += &report::warnings(&checked.warnings, file, style);
    }
    for (driver, warning) in of_operator(tasks) {
        text += &format!(
            "Warning: plugin {:?}: {}: {}\n",
            driver.name(),
            warning.option,
            warning.message
        );
    }
    text += &format!("{}: the job is valid\n", file.name);
    tasks
        .iter()
        .for_each(|checked| text += &allowed::lines(checked));
    text
}

/// What the operator of each driver is warned of, once however many tasks it has.
pub(crate) fn of_operator(tasks: &[Checked]) -> Vec<(Kind, &Warning)> {
    let mut drivers: Vec<Kind> = Vec::new();
    let mut warnings = Vec::new();
    for checked in tasks {
        if !drivers.contains(&checked.driver) {
            drivers.push(checked.driver);
            let of = |warning| (checked.driver, warning);
            warnings.extend(checked.operator_warnings.iter().map(of));
        }
    }
    warnings
}

fn in_json(checked: Result<(JobFile, Vec<Checked>), Failure>) -> Result<u8, Failure> {
    let (document, code) = match &checked {
        Ok((file, checked)) => (machine::valid(file, checked), 0),
        Err(failure) => match mistakes(failure) {
            Some((file, mistakes)) => (machine::invalid(file, mistakes), failure.exit_code()),
            None => return checked.map(|_| 0),
        },
    };
    terminal::print(&format!("{document:#}\n"))?;
    Ok(code)
}

fn mistakes(failure: &Failure) -> Option<(&JobFile, &[Diagnostic])> {
    match failure {
        Failure::Parse { file, mistakes } => Some((file, mistakes)),
        Failure::Client { file, source } => match source.as_ref() {
            client::Error::Job(mistakes) => Some((file, mistakes)),
            _ => None,
        },
        _ => None,
    }
}
