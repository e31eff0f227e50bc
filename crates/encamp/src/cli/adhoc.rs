//! Flags that stand for a job file.
use clap::Args;

/// Flags of a command that is run without a job file.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "With a command instead of a job file")]
pub(crate) struct AdHoc {
    /// Print the job file and do not run it
    #[arg(long, requires = "command")]
    pub(crate) emit_job: bool,
    /// Name of job, group and task [default: the command's]
    #[arg(long, requires = "command")]
    pub(crate) name: Option<String>,
    /// exec or exec2
    #[arg(long, requires = "command", default_value = "exec2", value_parser = ["exec", "exec2"])]
    pub(crate) driver: String,
    /// Make a path visible: r:/srv/www, rwc:/var/cache/x (again for another)
    #[arg(long, requires = "command", value_name = "LETTERS:PATH")]
    pub(crate) unveil: Vec<String>,
    /// Give a capability (again for another)
    #[arg(long, requires = "command", value_name = "CAPABILITY")]
    pub(crate) cap_add: Vec<String>,
    /// Run as this user
    #[arg(long, requires = "command")]
    pub(crate) user: Option<String>,
    /// Set a variable (again for another)
    #[arg(long, requires = "command", value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) env: Vec<String>,
    /// Working directory inside
    #[arg(long, requires = "command", value_name = "DIR")]
    pub(crate) work_dir: Option<String>,
    /// Claim a port, any or this one; the command finds it in ${NOMAD_PORT_name} (again for another)
    #[arg(long, requires = "command", value_name = "NAME[=PORT]")]
    pub(crate) port: Vec<String>,
    /// MHz
    #[arg(long, requires = "command", conflicts_with = "cores")]
    pub(crate) cpu: Option<u64>,
    /// Whole cores of its own
    #[arg(long, requires = "command")]
    pub(crate) cores: Option<u64>,
    /// MiB
    #[arg(long, requires = "command")]
    pub(crate) memory: Option<u64>,
    /// MiB that it may use while there is enough
    #[arg(long, requires = "command")]
    pub(crate) memory_max: Option<u64>,
    /// By which signal it is asked to end
    #[arg(long, requires = "command", value_name = "SIGNAL")]
    pub(crate) kill_signal: Option<String>,
    /// After which time it is killed: 10s
    #[arg(long, requires = "command", value_name = "TIME")]
    pub(crate) kill_timeout: Option<String>,
}

fn variable(text: &str) -> Result<String, String> {
    let name = text.split_once('=').map_or("", |(name, _)| name);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.starts_with(|c: char| plain(c) && !c.is_ascii_digit()) && name.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("write NAME=VALUE".to_owned())
    }
}
