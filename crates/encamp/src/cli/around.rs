//! What can be done around tasks that run.
use clap::Args;

use crate::cli::signal_or_number;

const TARGETS: &str = "\
TARGET is a job, job/group, job/group[1]/task, a task that is the only one of its name, or the beginning of an allocation's id.";

/// List what runs
#[derive(Debug, Args)]
#[command(
    after_help = "CPU is the average since the task's start, of one core. Columns that nothing is known for show -."
)]
pub(crate) struct Ps {
    /// Only these: a job, a group, a task or an allocation
    pub(crate) target: Option<String>,
    /// One JSON document on standard output, with the names of Nomad's API
    #[arg(long)]
    pub(crate) json: bool,
}

/// Run a command beside a task: in the same sandbox, as the same user, in the same cgroup
#[derive(Debug, Args)]
#[command(after_help = TARGETS, after_long_help = format!("{TARGETS}\n\n{EXEC}"))]
pub(crate) struct Exec {
    /// Pass standard input on
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// The character that, with a dot behind it at the beginning of a line, leaves the command; none: nothing does
    #[arg(short, long, value_name = "CHARACTER", default_value = "~", value_parser = escape)]
    pub(crate) escape: Escape,
    /// Beside which task
    pub(crate) target: String,
    /// The command and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub(crate) command: Vec<String>,
}

const EXEC: &str = "\
Exit codes: the command's own; 128+n when signal n ended it; 126 when it cannot be executed, 127 when it is not found inside;
1 when there is no such task; 125 when encamp or this host failed. The command ends with this one.";

/// A character that leads out of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Escape(pub(crate) Option<u8>);

fn escape(text: &str) -> Result<Escape, String> {
    match text.as_bytes() {
        b"none" | b"" => Ok(Escape(None)),
        [byte] if byte.is_ascii() => Ok(Escape(Some(*byte))),
        _ => Err("write one ASCII character, or none".to_owned()),
    }
}

/// Send a signal to a task's main process
#[derive(Debug, Args)]
#[command(after_help = TARGETS)]
pub(crate) struct Signal {
    /// By name or number: HUP, SIGUSR1, 10
    #[arg(short, long, value_name = "SIGNAL", default_value = "SIGKILL", value_parser = signal_or_number)]
    pub(crate) signal: String,
    /// To which task, or to all tasks of which job
    pub(crate) target: String,
}

/// Stop tasks as their job says; they are not started again
#[derive(Debug, Args)]
#[command(after_help = TARGETS)]
pub(crate) struct Stop {
    /// How long to wait before killing, instead of kill_timeout: 20s, or a number of seconds
    #[arg(short, long, value_name = "TIME", value_parser = time)]
    pub(crate) timeout: Option<std::time::Duration>,
    /// Leave shutdown_delay out
    #[arg(long)]
    pub(crate) no_shutdown_delay: bool,
    /// What to stop
    #[arg(required = true)]
    pub(crate) target: Vec<String>,
}

/// Seconds, or Nomad's durations.
fn time(text: &str) -> Result<std::time::Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(std::time::Duration::from_secs(seconds));
    }
    jobspec::duration(text)
        .ok_or_else(|| "write a time: 20s, 1m30s, or a number of seconds".to_owned())
}

/// Show what tasks have printed
#[derive(Debug, Args)]
#[command(after_help = TARGETS)]
pub(crate) struct Logs {
    /// Go on until the run ends
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only the last lines of each stream
    #[arg(short = 'n', long, value_name = "LINES", visible_alias = "tail")]
    pub(crate) lines: Option<usize>,
    /// Only standard error
    #[arg(long, conflicts_with = "stdout")]
    pub(crate) stderr: bool,
    /// Only standard output
    #[arg(long)]
    pub(crate) stdout: bool,
    /// Of what
    pub(crate) target: String,
}

/// Remove the alloc directories that runs have kept
#[derive(Debug, Args)]
#[command(
    after_help = "What a killed run has left is cleared, too. Nothing of a run that lives is touched."
)]
pub(crate) struct Gc {
    /// Only those that were kept longer ago: 24h
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) older_than: Option<std::time::Duration>,
    /// Only these allocations, by the beginning of their ids
    #[arg(value_name = "ALLOCATION")]
    pub(crate) allocations: Vec<String>,
}
