//! Why a command failed, with its exit code.
use std::path::PathBuf;

use client::exit;
use client::runs::ListError;

use crate::commands::JobFile;

/// Everything that ends a command but the task's own end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The job file cannot be read.
    #[error("cannot read the job file {}", path.display())]
    Read {
        /// As it was given.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of variables cannot be read.
    #[error("cannot read the variables in {}", path.display())]
    ReadVariables {
        /// As it was given.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Standard input is to be two files.
    #[error(
        "standard input can be read once: - stands for one file, the job file or one of --var-file"
    )]
    StdinTwice,
    /// A configuration cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    ReadConfig {
        /// A file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A configuration is wrong.
    #[error("the configuration is wrong")]
    Config {
        /// All files.
        files: Vec<JobFile>,
        /// What is wrong in which of them.
        mistakes: Vec<client::Misconfiguration>,
    },
    /// The job file is wrong.
    #[error("the job file is wrong")]
    Parse {
        /// The file.
        file: JobFile,
        /// What is wrong in it.
        mistakes: Vec<jobspec::Diagnostic>,
    },
    /// The job cannot be run.
    #[error("{source}")]
    Client {
        /// The file.
        file: JobFile,
        /// Why.
        source: Box<client::Error>,
    },
    /// It cannot be seen what runs.
    #[error(transparent)]
    List(#[from] client::runs::ListError),
    /// A target names nothing, or too much.
    #[error(transparent)]
    Target(#[from] client::runs::TargetError),
    /// A target names nothing that runs.
    #[error("{target:?} names no running task: {states}")]
    NotRunning {
        /// As it was given.
        target: String,
        /// How what it names stands.
        states: String,
    },
    /// A terminal was asked for, and there is none to type at.
    #[error("standard input is no terminal: leave out -t, or -i")]
    NoTerminal,
    /// A task did not do what was asked.
    #[error(transparent)]
    Task(#[from] driver::Error),
    /// A run was not asked to stop.
    #[error(transparent)]
    Stop(#[from] client::runs::StopError),
    /// What was asked to stop cannot be waited for.
    #[error("cannot wait for the end of a task that was asked to stop")]
    Waiting(#[source] std::io::Error),
    /// Logs cannot be read.
    #[error(transparent)]
    Logs(#[from] client::runs::LogError),
    /// What runs have kept cannot be looked through.
    #[error("{source}")]
    Gc {
        /// Why.
        source: Box<client::Error>,
    },
    /// What every process has is missing: standard output, a working directory.
    #[error("cannot use what this process was started with")]
    Surroundings(#[from] std::io::Error),
}

impl Failure {
    /// As `encamp run --help` has them.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::Read { .. }
            | Failure::ReadVariables { .. }
            | Failure::StdinTwice
            | Failure::Parse { .. }
            | Failure::ReadConfig { .. }
            | Failure::Config { .. } => exit::INVALID,
            Failure::Client { source, .. } | Failure::Gc { source } => source.exit_code(),
            Failure::List(ListError::NotRoot { .. })
            | Failure::Target(_)
            | Failure::NotRunning { .. }
            | Failure::NoTerminal => exit::INVALID,
            Failure::Task(error) => of_entered(error),
            Failure::List(_)
            | Failure::Stop(_)
            | Failure::Waiting(_)
            | Failure::Logs(_)
            | Failure::Surroundings(_) => exit::HOST,
        }
    }
}

fn of_entered(error: &driver::Error) -> u8 {
    match error {
        driver::Error::NotFound(_) => exit::NOT_FOUND,
        driver::Error::NotExecutable(_) => exit::NOT_EXECUTABLE,
        _ => exit::HOST,
    }
}
