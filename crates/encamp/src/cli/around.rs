//! What can be done around tasks that run.
use clap::Args;

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

/// Seconds, or Nomad's durations.
fn time(text: &str) -> Result<std::time::Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(std::time::Duration::from_secs(seconds));
    }
    jobspec::duration(text)
        .ok_or_else(|| "write a time: 20s, 1m30s, or a number of seconds".to_owned())
}
