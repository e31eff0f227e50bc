//! Values for the variables of a job file: from flags, files and the environment.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};
use jobspec::{Inputs, Source, Undeclared};

use crate::failure::Failure;
use crate::source::{is_stdin, read};

/// Flags of every command that reads a job file.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Variables {
    /// Set a variable of the job file; it wins over --var-file, and that over NOMAD_VAR_name in the environment
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    var: Vec<(String, String)>,
    /// A file of values for variables, HCL or JSON, - for standard input; of several the last that sets a variable wins
    #[arg(long, value_name = "FILE")]
    var_file: Vec<PathBuf>,
    /// With false, values for variables that the job file does not declare are passed over
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    hcl2_strict: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it must be NAME=VALUE".to_owned()),
    }
}

impl Variables {
    /// What the job file of that path is read with.
    pub(crate) fn inputs(&self, job_file: &Path) -> Result<Inputs, Failure> {
        let from_stdin = self.var_file.iter().filter(|path| is_stdin(path)).count();
        if from_stdin + usize::from(is_stdin(job_file)) > 1 {
            return Err(Failure::StdinTwice);
        }
        let files: Result<Vec<_>, Failure> =
            self.var_file.iter().map(|path| source(path)).collect();
        Ok(Inputs {
            arguments: self.var.clone(),
            files: files?,
            environment: environment(),
            undeclared: if self.hcl2_strict {
                Undeclared::Refused
            } else {
                Undeclared::Ignored
            },
            base: Some(directory(job_file)),
        })
    }
}

fn source(path: &Path) -> Result<Source, Failure> {
    let text = read(path).map_err(|source| Failure::ReadVariables {
        path: path.to_owned(),
        source,
    })?;
    Ok(Source {
        name: path.display().to_string(),
        text,
    })
}

/// The variables of jobs in ours, without their prefix.
fn environment() -> BTreeMap<String, String> {
    let texts = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts
        .filter_map(|(name, value)| Some((name.strip_prefix(Inputs::PREFIX)?.to_owned(), value)))
        .collect()
}

/// Where the file is; standard input is where we are.
fn directory(job_file: &Path) -> PathBuf {
    match job_file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_pair_has_a_name() {
        assert_eq!(pair("a=b=c").unwrap(), ("a".to_owned(), "b=c".to_owned()));
        assert_eq!(pair("a=").unwrap(), ("a".to_owned(), String::new()));
        assert!(pair("=b").is_err());
        assert!(pair("a").is_err());
    }

    #[test]
    fn files_are_looked_for_beside_the_job_file() {
        assert_eq!(directory(Path::new("/x/a.hcl")), Path::new("/x"));
        assert_eq!(directory(Path::new("a.hcl")), Path::new("."));
        assert_eq!(directory(Path::new("-")), Path::new("."));
    }
}
