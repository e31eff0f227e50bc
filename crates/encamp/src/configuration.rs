//! Which configuration files there are, and what is in them.
use std::path::{Path, PathBuf};

use client::{ConfigFile, Configuration};

use crate::commands::JobFile;
use crate::failure::Failure;

/// Read when nobody names another.
const DEFAULT: &str = "/etc/encamp.d";

/// Reads what was named, in that order, or the default where it exists.
pub(crate) fn read(named: &[PathBuf]) -> Result<Configuration, Failure> {
    let default = [PathBuf::from(DEFAULT)];
    let named = match named {
        [] if default[0].exists() => &default,
        named => named,
    };
    let files = files(named)?;
    client::configure(&files).map_err(|mistakes| Failure::Config {
        files: files.into_iter().map(job_file).collect(),
        mistakes,
    })
}

/// What the paths hold: of a directory the files in it.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<ConfigFile>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        for file in list(path)? {
            files.push(load(&file)?);
        }
    }
    Ok(files)
}

/// The files of a directory that count, in the order of their names; any other path is a file.
fn list(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |source| Failure::ReadConfig {
        path: path.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if counts(&file) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// HCL, and JSON, which is refused with its name: what Nomad would read must not be passed over in silence. Not what
/// editors leave.
fn counts(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let is_configuration = name.ends_with(".hcl") || name.ends_with(".json");
    is_configuration && !name.starts_with(".#") && !file.is_dir()
}

fn load(path: &Path) -> Result<ConfigFile, Failure> {
    let text = std::fs::read_to_string(path).map_err(|source| Failure::ReadConfig {
        path: path.to_owned(),
        source,
    })?;
    Ok(ConfigFile {
        name: path.display().to_string(),
        text,
    })
}

fn job_file(file: ConfigFile) -> JobFile {
    JobFile {
        name: file.name,
        text: file.text,
    }
}
