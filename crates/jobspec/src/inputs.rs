//! What a job file is read with: values for its variables, and where its files are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::Source;

/// How variables that the job file does not declare are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Undeclared {
    /// A value for one is a mistake.
    #[default]
    Refused,
    /// A value for one is passed over.
    Ignored,
}

/// What a job file is read with. Of several values for a variable that of an argument is taken, else that of the last file, else that
/// of the environment, else the default.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// Names and values of `-var`; the last of a name is taken.
    pub arguments: Vec<(String, String)>,
    /// Files of variables, in HCL or in JSON, in their order.
    pub files: Vec<Source>,
    /// Variables of the environment, without their prefix `NOMAD_VAR_`.
    pub environment: BTreeMap<String, String>,
    /// How values for other variables are taken; those of the environment never matter.
    pub undeclared: Undeclared,
    /// The directory that functions look for files from; without one, functions that read files fail.
    pub base: Option<PathBuf>,
}

impl Inputs {
    /// What in front of a variable of the environment makes it one of a job.
    pub const PREFIX: &str = "NOMAD_VAR_";
}
