//! One file for each command.
mod adhoc;
mod denied;
mod doctor;
mod download;
mod exec;
mod gc;
mod logs;
mod node;
mod progress;
mod ps;
mod run;
mod seen;
mod signal;
mod stop;
pub(crate) mod validate;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use client::exit;
use jobspec::Inputs;

use crate::cli::{Alloc, Cli, Command, Global, Job, Node};
use crate::failure::Failure;
use crate::report::{self, Style};
use crate::source;
use crate::variables::Variables;
use crate::{argv, terminal};

/// A job file, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobFile {
    /// Its name in messages.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) text: String,
}

/// What a warning about a job file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strictness {
    /// Said, and no more.
    Lenient,
    /// A mistake.
    Strict,
}

impl Strictness {
    fn of(strict: bool) -> Strictness {
        if strict {
            Strictness::Strict
        } else {
            Strictness::Lenient
        }
    }

    /// Gives warnings back, unless they are mistakes.
    fn judge(
        self,
        warnings: Vec<jobspec::Diagnostic>,
        file: &JobFile,
    ) -> Result<Vec<jobspec::Diagnostic>, Failure> {
        if self == Strictness::Lenient || warnings.is_empty() {
            return Ok(warnings);
        }
        Err(Failure::Parse {
            file: file.clone(),
            mistakes: warnings,
        })
    }
}

/// The end of a command that went on when something failed: all failures but the last are said here.
fn conclude(mut failures: Vec<Failure>, global: &Global) -> Result<u8, Failure> {
    let last = failures.pop();
    for failure in &failures {
        let style = Style::suitable(global.no_color);
        terminal::say(&report::failure(failure, style));
    }
    last.map_or(Ok(0), Err)
}

/// Runs what the arguments ask for.
pub(crate) fn run(arguments: Vec<OsString>) -> ExitCode {
    match Cli::try_parse_from(argv::normalise(&Cli::command(), arguments)) {
        Ok(cli) => ExitCode::from(perform(&cli)),
        Err(error) => ExitCode::from(usage(&error)),
    }
}

/// Help and version were asked for and are fine; anything else is a mistake, which is 1 here and not clap's 2.
fn usage(error: &clap::Error) -> u8 {
    let _ = error.print();
    if error.use_stderr() { exit::INVALID } else { 0 }
}

fn perform(cli: &Cli) -> u8 {
    let global = &cli.global;
    let done = match &cli.command {
        Command::Run(run) => run::run(run, global),
        Command::Validate(validate) => validate::run(validate, global),
        Command::Ps(ps) => ps::run(ps, global),
        Command::Logs(logs) => logs::run(logs, global),
        Command::Exec(exec) => exec::run(exec, global),
        Command::Signal(signal) => signal::run(signal, global),
        Command::Stop(stop) => stop::run(stop, global),
        Command::Gc(gc) => gc::run(gc, global),
        Command::Doctor(doctor) => doctor::run(doctor, global),
        Command::Node(Node::Status(status)) => node::run(status, global),
        Command::Version => version(),
        Command::Job(job) => of_job(job, global),
        Command::Alloc(alloc) => of_alloc(alloc, global),
    };
    done.unwrap_or_else(|failure| {
        terminal::say(&report::failure(
            &failure,
            Style::suitable(cli.global.no_color),
        ));
        failure.exit_code()
    })
}

fn of_job(job: &Job, global: &Global) -> Result<u8, Failure> {
    match job {
        Job::Run(run) => run::run(run, global),
        Job::Validate(validate) => validate::run(validate, global),
        Job::Status(ps) => ps::run(ps, global),
        Job::Stop(stop) => stop::run(stop, global),
    }
}

fn of_alloc(alloc: &Alloc, global: &Global) -> Result<u8, Failure> {
    match alloc {
        Alloc::Status(ps) => ps::run(ps, global),
        Alloc::Logs(logs) => logs::run(logs, global),
        Alloc::Exec(exec) => exec::run(exec, global),
        Alloc::Signal(signal) => signal::run(signal, global),
        Alloc::Stop(stop) => stop::run(stop, global),
    }
}

fn version() -> Result<u8, Failure> {
    terminal::print(concat!("encamp ", env!("CARGO_PKG_VERSION"), "\n"))?;
    Ok(0)
}

/// Reads and parses a job file; `-` is standard input.
fn read_job(path: &Path, variables: &Variables) -> Result<(JobFile, jobspec::Job), Failure> {
    let inputs = variables.inputs(path)?;
    let text = source::read(path).map_err(|source| Failure::Read {
        path: path.to_owned(),
        source,
    })?;
    let name = if source::is_stdin(path) {
        "<stdin>".to_owned()
    } else {
        path.display().to_string()
    };
    parse(JobFile { name, text }, &inputs)
}

fn parse(file: JobFile, inputs: &Inputs) -> Result<(JobFile, jobspec::Job), Failure> {
    match jobspec::parse_with(&file.name, &file.text, inputs) {
        Ok(job) => Ok((file, job)),
        Err(mistakes) => Err(Failure::Parse { file, mistakes }),
    }
}
