//! What can be written after `encamp`.
mod adhoc;
mod around;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use client::Settings;

use crate::failure::Failure;
use crate::variables::Variables;
use crate::{configuration, terminal};

pub(crate) use adhoc::AdHoc;
pub(crate) use around::{Exec, Gc, Logs, Ps, Signal, Stop};

const EXIT_CODES: &str = "\
Exit codes:
  0..123  the task's own
  1       wrong usage, an invalid job or an invalid configuration
  2       this machine cannot take the job: a constraint is not met; a driver, a volume, cores or a port are missing
  124     the group's max_run_duration was over
  125     encamp or this host failed
  126     the command was found and cannot be executed
  127     the command was not found
  128+n   the task was ended by signal n

When a task is restarted, the code is that of its last end. With more than one task it is the leader's; else that of the first main
task that failed for good, or of another that did; else 0.";

const SIGNALS: &str = "\
Ctrl-C, SIGTERM and SIGHUP stop the tasks as their kill_signal and kill_timeout say; the second one kills them.
The task's output goes to standard output and standard error byte for byte; that of several tasks line by line, each behind its task's name.
Lines beginning with ==> are encamp's own and go to standard error. When nobody reads the output any more (encamp run … | head) it is thrown away and the task runs on.";

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
    /// Configuration as Nomad's agent has it: a file, or a directory of *.hcl files [default: /etc/encamp.d, if it exists]
    #[arg(short, long, global = true, value_name = "FILE|DIR")]
    pub(crate) config: Vec<PathBuf>,
    /// Where allocations are kept [default: data_dir of the configuration, or /var/lib/encamp]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
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
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say also what this host lacks, what Landlock restricts, and what of a configuration means nothing here
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Without colours (also: NO_COLOR, NOMAD_CLI_NO_COLOR)
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

/// How much is said about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Talk {
    /// What went wrong on this host.
    Trouble,
    /// How it goes on.
    Usual,
    /// What this host lacks, too.
    All,
}

impl Global {
    /// How much is said.
    pub(crate) fn talk(&self) -> Talk {
        match (self.quiet, self.verbose) {
            (true, _) => Talk::Trouble,
            (false, false) => Talk::Usual,
            (false, true) => Talk::All,
        }
    }

    /// What the configuration says, and where a run keeps its things; tasks see these paths, so they must be absolute.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let configuration = configuration::read(&self.config)?;
        if self.verbose {
            let note = |note| terminal::say(&format!("==> {note}\n"));
            configuration.notes.iter().for_each(note);
        }
        let defaults = Settings::default();
        let data_dir = self.data_dir.clone().or(configuration.data_dir);
        Ok(Settings {
            data_dir: std::path::absolute(data_dir.unwrap_or(defaults.data_dir))?,
            run_dir: std::path::absolute(&self.run_dir)?,
            node: configuration.node,
            ..Settings::default()
        })
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Box<Run>),
    Validate(Validate),
    #[command(visible_alias = "status")]
    Ps(Ps),
    Logs(Logs),
    Exec(Exec),
    Signal(Signal),
    Stop(Stop),
    Gc(Gc),
    Doctor(Doctor),
    /// Show this machine as a Nomad node
    #[command(subcommand)]
    Node(Node),
    /// Say which version this is
    Version,
    /// Nomad's spelling: job run, job validate
    #[command(subcommand, hide = true)]
    Job(Job),
    /// Nomad's spelling: alloc exec, alloc logs, alloc signal, alloc status, alloc stop
    #[command(subcommand, hide = true)]
    Alloc(Alloc),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Node {
    Status(NodeStatus),
}

/// Show what jobs can ask of this machine: names, drivers, volumes, attributes; needs no root and changes nothing
#[derive(Debug, Args)]
pub(crate) struct NodeStatus {
    /// Nomad's flag for the node that the command runs on, which is the only one here
    #[arg(long = "self")]
    pub(crate) own: bool,
    /// One JSON document on standard output, as Nomad's API has it
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    Run(Box<Run>),
    Validate(Validate),
    Status(Ps),
    Stop(Stop),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Alloc {
    Status(Ps),
    Logs(Logs),
    Exec(Exec),
    Signal(Signal),
    Stop(Stop),
}

/// A signal that a task can be sent.
fn signal_or_number(text: &str) -> Result<String, String> {
    match driver::signals::parse(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("there is no such signal".to_owned()),
    }
}

/// Run a job in the foreground and exit as its task does
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{SIGNALS}\n\n{EXIT_CODES}"))]
pub(crate) struct Run {
    /// The job file; - is standard input
    #[arg(required_unless_present = "command")]
    pub(crate) file: Option<PathBuf>,
    /// A command to run without a job file, and its arguments
    #[arg(last = true, conflicts_with = "file")]
    pub(crate) command: Vec<String>,
    #[command(flatten)]
    pub(crate) adhoc: AdHoc,
    /// Pass standard input on to the job's only task
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give the job's only task a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Remove the alloc directory also when the task fails
    #[arg(long, conflicts_with = "keep")]
    pub(crate) rm: bool,
    /// Keep the alloc directory also when the task succeeds
    #[arg(long)]
    pub(crate) keep: bool,
    /// Leave kernel audit as it is: what the sandbox denies is named only where audit is on already
    #[arg(long)]
    pub(crate) no_audit: bool,
    /// Never start the task again, whatever its restart policy says
    #[arg(long)]
    pub(crate) no_restart: bool,
    /// Run the job also where its constraints are not met
    #[arg(long)]
    pub(crate) ignore_constraints: bool,
    /// Take every warning about the job file for an error
    #[arg(long)]
    pub(crate) strict: bool,
    /// Begin each line of output with its task's name, as is done when there is more than one task
    #[arg(long)]
    pub(crate) prefix: bool,
    #[command(flatten)]
    pub(crate) variables: Variables,
}

/// Check a job file; needs no root and changes nothing
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The job file; - is standard input
    pub(crate) file: PathBuf,
    /// One JSON document on standard output: valid, diagnostics with their places, what the task may do
    #[arg(long)]
    pub(crate) json: bool,
    /// Take every warning about the job file for an error
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) variables: Variables,
}

/// Say what this host can do for a task: kernel, cgroups, directories, drivers
#[derive(Debug, Args)]
#[command(after_help = "Exit code 1 if anything fails: some driver cannot run here.")]
pub(crate) struct Doctor {
    /// Look at this configuration of a Nomad agent too: a file, or a directory such as /etc/nomad.d
    #[arg(long, value_name = "PATH")]
    pub(crate) nomad: Vec<PathBuf>,
    /// One JSON document on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
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
            ["encamp", "run", "f", "-v"],
        ] {
            assert!(Cli::try_parse_from(arguments).is_ok(), "{arguments:?}");
        }
        assert!(Cli::try_parse_from(["encamp", "run", "f", "--rm", "--keep"]).is_err());
        assert!(Cli::try_parse_from(["encamp", "run", "f", "-v", "-q"]).is_err());
    }

    #[test]
    fn configurations_are_taken_in_their_order() {
        let cli = Cli::try_parse_from(["encamp", "-c", "a", "run", "f", "--config=b"]);
        // A flag behind the command replaces those before it: clap knows one place of a global flag.
        assert_eq!(cli.unwrap().global.config, [PathBuf::from("b")]);
        let cli = Cli::try_parse_from(["encamp", "run", "-c", "a", "-c", "b", "f"]);
        assert_eq!(cli.unwrap().global.config, ["a", "b"].map(PathBuf::from));
    }
}
