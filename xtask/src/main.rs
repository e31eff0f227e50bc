//! The checks and generators of this repository: `cargo xtask <verb>`.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to whoever ran it"
)]

mod check;
mod fuzz;
mod hack;
mod kernels;
mod licences;
mod metadata;
mod prepush;
#[cfg(feature = "protos")]
mod protos;
mod source;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A word of the command line, what it does in one line, and the function that does it.
type Verb = (&'static str, &'static str, fn(&Repository) -> Outcome);

/// What can be asked for. A new verb is a module and a line here.
const VERBS: &[Verb] = &[
    (
        "check",
        "the rules of the house: directions, words, unsafe, lengths, marks",
        check::run,
    ),
    (
        "fuzz",
        "the fuzz targets, each for a while [--seconds N] [TARGET...]",
        fuzz::run,
    ),
    (
        "hack",
        "builds the plugins and starts nomad agent -dev with them [FLAG...]",
        hack::run,
    ),
    (
        "kernels",
        "the isolation suite on other kernels, and which tests ran where [ROW[=LOG]...]",
        kernels::run,
    ),
    (
        "licences",
        "licences, sources and bans of every dependency, against deny.toml",
        licences::run,
    ),
    (
        "prepush",
        "everything that needs no root: fmt, clippy, doc, check, licences",
        prepush::run,
    ),
    #[cfg(feature = "protos")]
    (
        "protos",
        "writes the Rust made of the plugin's .proto files",
        |_| finish(protos::generate(false)),
    ),
    #[cfg(feature = "protos")]
    (
        "protos-check",
        "compares what is committed with what would be written",
        |_| finish(protos::generate(true)),
    ),
];

/// What a verb found wrong, one line each; nothing when all is well.
type Outcome = Result<Vec<String>, Box<dyn std::error::Error>>;

/// The working copy that is looked at.
pub(crate) struct Repository {
    root: PathBuf,
    metadata: metadata::Metadata,
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let verb = args.next().unwrap_or_default();
    let Some((name, _, run)) = VERBS.iter().find(|(name, ..)| *name == verb) else {
        return usage();
    };
    match repository().and_then(|repository| run(&repository)) {
        Ok(found) if found.is_empty() => {
            println!("xtask {name}: ok");
            ExitCode::SUCCESS
        }
        Ok(found) => {
            found.iter().for_each(|line| eprintln!("{line}"));
            eprintln!("xtask {name}: {} found", found.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("xtask {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A generator finds nothing; it works or it does not.
#[cfg(feature = "protos")]
fn finish(made: Result<(), Box<dyn std::error::Error + Send + Sync>>) -> Outcome {
    match made {
        Ok(()) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn repository() -> Result<Repository, Box<dyn std::error::Error>> {
    let metadata = metadata::load(Path::new("."))?;
    Ok(Repository {
        root: metadata.root.clone(),
        metadata,
    })
}

fn usage() -> ExitCode {
    eprintln!("usage: cargo xtask <verb>");
    for (name, about, _) in VERBS {
        eprintln!("  {name:<12} {about}");
    }
    ExitCode::from(2)
}
