//! Start to exit of a static program that does nothing, by every way there is on this machine, interleaved; the private memory of
//! what stays beside a running task; and how long a job file takes to read.
//!
//! `cargo run --release --package benches -- [--quick] [--json] [--iterations N]`. As root. Figures are for comparison within one run.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a report is what it is for"
)]

mod in_process;
mod memory;
mod parsing;
mod programs;
mod report;
mod runner;
mod statistics;

use std::error::Error;
use std::process::ExitCode;

use runner::Runner;

/// Rounds when nothing is asked for, and when it shall be quick.
const ROUNDS: usize = 200;
const QUICK_ROUNDS: usize = 10;

/// Rounds that warm caches and are not counted.
const WARM_UP: usize = 3;

/// What the command line asks for.
#[derive(Debug)]
struct Options {
    rounds: usize,
    json: bool,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benches: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        rounds: ROUNDS,
        json: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => options.rounds = QUICK_ROUNDS,
            "--json" => options.json = true,
            "--iterations" => {
                options.rounds = words.next().ok_or("--iterations wants a number")?.parse()?
            }
            _ => {
                return Err(format!(
                    "usage: benches [--quick] [--json] [--iterations N], not {word:?}"
                )
                .into());
            }
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if !rustix::process::geteuid().is_root() {
        return Err("not root: every way but the bare spawn needs it".into());
    }
    let programs = programs::Programs::build()?;
    let mut runners = runner::all(&programs)?;
    measure(&mut runners, options.rounds)?;
    let memory = memory::beside_a_running_task(&programs)?;
    let readings = parsing::measure(options.rounds)?;
    let report = report::Report::new(&runners, &memory, &readings, options.rounds);
    println!(
        "{}",
        if options.json {
            report.json().to_string()
        } else {
            report.table()
        }
    );
    Ok(())
}

/// Round-robin, so that whatever else the machine does hits all alike.
fn measure(runners: &mut [Runner<'_>], rounds: usize) -> Result<(), Box<dyn Error>> {
    for round in 0..rounds + WARM_UP {
        for runner in runners.iter_mut() {
            runner
                .run(round >= WARM_UP)
                .map_err(|error| format!("{}: {error}", runner.name))?;
        }
    }
    Ok(())
}
