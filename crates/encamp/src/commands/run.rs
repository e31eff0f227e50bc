//! `encamp run`: a job in the foreground.
use std::io::IsTerminal;
use std::os::fd::AsFd;

use client::{Constraints, Input, Keep, Output, Prefix, Restarting, Settings, Telling};
use driver::denials::Left;
use jobspec::Inputs;

use crate::cli::{Global, Run};
use crate::commands::progress::Progress;
use crate::commands::{Strictness, adhoc, parse, read_job};
use crate::failure::Failure;
use crate::report::{self, Style};
use crate::terminal;

pub(crate) fn run(run: &Run, global: &Global) -> Result<u8, Failure> {
    let (file, job) = match &run.file {
        Some(path) => read_job(path, &run.variables)?,
        None => {
            let file = adhoc::job_file(&run.command, &run.adhoc);
            if run.adhoc.emit_job {
                terminal::print(&file.text)?;
                return Ok(0);
            }
            parse(file, &Inputs::default())?
        }
    };
    let output = Output {
        stdout: std::io::stdout().as_fd().try_clone_to_owned()?,
        stderr: std::io::stderr().as_fd().try_clone_to_owned()?,
        prefix: if run.prefix {
            Prefix::Always
        } else {
            Prefix::WhenSeveral
        },
        input: input(run)?,
    };
    let settings = settings(run, global)?;
    let mut warnings = client::warnings(&job, &settings);
    if run.strict {
        // What is wrong beyond warnings the run says itself.
        let checked = client::check(&job, &settings).unwrap_or_default();
        warnings.extend(checked.into_iter().flat_map(|checked| checked.warnings));
    }
    let warnings = Strictness::of(run.strict).judge(warnings, &file)?;
    if !global.quiet {
        let style = Style::suitable(global.no_color);
        terminal::say(&report::warnings(&warnings, &file, style));
    }
    let progress = Progress::new(&job, &file, global.talk());
    let ended = client::run(&job, &settings, output, &|event| progress.tell(&event));
    ended.map_err(|source| Failure::Client {
        file,
        source: Box::new(source),
    })
}

fn input(run: &Run) -> Result<Input, Failure> {
    let stdin = std::io::stdin();
    if run.tty && run.interactive && !stdin.is_terminal() {
        return Err(Failure::NoTerminal);
    }
    let typed = match run.interactive {
        true => Some(stdin.as_fd().try_clone_to_owned()?),
        false => None,
    };
    Ok(match (run.tty, typed) {
        (true, typed) => Input::Terminal(typed),
        (false, Some(typed)) => Input::Pipe(typed),
        (false, None) => Input::Nothing,
    })
}

fn settings(run: &Run, global: &Global) -> Result<Settings, Failure> {
    let keep = match (run.rm, run.keep) {
        (true, _) => Keep::Never,
        (false, true) => Keep::Always,
        (false, false) => Keep::Failed,
    };
    let restart = if run.no_restart {
        Restarting::Never
    } else {
        Restarting::AsTheJobSays
    };
    let constraints = if run.ignore_constraints {
        Constraints::Ignored
    } else {
        Constraints::Met
    };
    let audit = if run.no_audit { Left::Alone } else { Left::On };
    let denials = if global.verbose {
        Telling::Always
    } else {
        Telling::BadEnds
    };
    Ok(Settings {
        keep,
        audit,
        denials,
        restart,
        constraints,
        ..global.settings()?
    })
}
