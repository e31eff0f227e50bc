//! The one program: a command line, or a Nomad plugin when Nomad starts it.
//!
//! `main` picks the face and turns its result into an exit code; words for people are in the modules below, behaviour
//! is in the libraries.
#![forbid(unsafe_code)]

mod allowed;
mod argv;
mod cli;
mod commands;
mod configuration;
mod face;
mod failure;
mod machine;
mod report;
mod source;
mod terminal;
mod variables;

use std::process::ExitCode;

use face::Face;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if let Some(code) = client::artifacts::role(&arguments) {
        return code;
    }
    match Face::of(&arguments, std::env::var_os(face::COOKIE)) {
        Face::Plugin(kind) => plugin::serve(kind),
        Face::PluginWithoutNomad => face::explain(),
        Face::CommandLine => commands::run(arguments),
    }
}
