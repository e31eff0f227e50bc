//! What can be written after `encamp`.
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use client::Settings;

const EXIT_CODES: &str = "\
Exit codes:
  0..123  the task's own
  1       wrong usage, or an invalid job
  2       this machine cannot take the job: a driver is missing
  124     the time was over
  125     encamp or this host failed
  126     the command was found and cannot be executed
  127     the command was not found
  128+n   the task was ended by signal n

When the task is restarted, the code is that of its last end.";

const SIGNALS: &str = "\
Ctrl-C, SIGTERM and SIGHUP stop the task as its kill_signal and kill_timeout say; the second one kills it.
The task's output goes to standard output and standard error byte for byte; lines beginning with ==> are encamp's own and go to
standard error. When nobody reads the output any more (encamp run … | head) it is thrown away and the task runs on.";

/// Runs Nomad job files on one machine, with no cluster, under Nomad's task drivers exec and exec2.
#[derive(Debug, Parser)]
#[command(name = "encamp", version, about, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Where allocations are kept
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "/var/lib/encamp"
    )]
    pub(crate) data_dir: PathBuf,
    /// Where running tasks are kept track of
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "/run/encamp",
        hide = true
    )]
    pub(crate) run_dir: PathBuf,
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Without colours (also: NO_COLOR, NOMAD_CLI_NO_COLOR)
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

impl Global {
    /// Where a run keeps its things; tasks see these paths, so they must be absolute.
    pub(crate) fn settings(&self) -> std::io::Result<Settings> {
        Ok(Settings {
            data_dir: std::path::absolute(&self.data_dir)?,
            run_dir: std::path::absolute(&self.run_dir)?,
            ..Settings::default()
        })
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Run),
    Validate(Validate),
    Doctor(Doctor),
    /// Say which version this is
    Version,
    /// Nomad's spelling: job run, job validate
    #[command(subcommand, hide = true)]
    Job(Job),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    Run(Run),
    Validate(Validate),
}

/// Run a job in the foreground and exit as its task does
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{SIGNALS}\n\n{EXIT_CODES}"))]
pub(crate) struct Run {
    /// The job file; - is standard input
    pub(crate) file: PathBuf,
    /// Remove the alloc directory also when the task fails
    #[arg(long, conflicts_with = "keep")]
    pub(crate) rm: bool,
    /// Keep the alloc directory also when the task succeeds
    #[arg(long)]
    pub(crate) keep: bool,
    /// Never start the task again, whatever its restart policy says
    #[arg(long)]
    pub(crate) no_restart: bool,
}

/// Check a job file; needs no root and changes nothing
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The job file; - is standard input
    pub(crate) file: PathBuf,
    /// One JSON document on standard output: valid, diagnostics with their places, what the task may do
    #[arg(long)]
    pub(crate) json: bool,
}

/// Say what this host can do for a task: kernel, cgroups, directories, drivers
#[derive(Debug, Args)]
#[command(after_help = "Exit code 1 if anything fails: some driver cannot run here.")]
pub(crate) struct Doctor {
    /// One JSON document on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_description_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_are_taken_before_and_after_the_command() {
        for arguments in [
            ["encamp", "-q", "run", "f"],
            ["encamp", "run", "f", "-q"],
            ["encamp", "job", "run", "f"],
        ] {
            assert!(Cli::try_parse_from(arguments).is_ok(), "{arguments:?}");
        }
        assert!(Cli::try_parse_from(["encamp", "run", "f", "--rm", "--keep"]).is_err());
    }
}
