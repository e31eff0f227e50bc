//! The programs that are run, built into a directory of their own.
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use suite::Job;

/// Where a task of either driver can reach what is started.
const REACHABLE: &str = "/usr/local/bin";

/// Paths of everything. Dropping it removes what was installed.
#[derive(Debug)]
pub(crate) struct Programs {
    /// Does nothing, linked statically, reachable for a task.
    pub(crate) nothing: PathBuf,
    /// `floor.c`.
    pub(crate) floor: PathBuf,
    /// The release build.
    pub(crate) encamp: PathBuf,
    directory: PathBuf,
}

impl Programs {
    /// Compiles the two C programs and the release build of encamp.
    pub(crate) fn build() -> Result<Programs, Box<dyn Error>> {
        let directory = std::env::temp_dir().join(format!("encamp-benches-{}", std::process::id()));
        std::fs::create_dir(&directory)?;
        let programs = Programs {
            nothing: Path::new(REACHABLE).join(format!("encamp-nothing-{}", std::process::id())),
            floor: directory.join("floor"),
            encamp: release_build()?,
            directory,
        };
        std::fs::create_dir_all(REACHABLE)?;
        compile("true.c", &programs.nothing)?;
        compile("floor.c", &programs.floor)?;
        Ok(programs)
    }

    /// A job file that runs `command` under `driver`.
    pub(crate) fn job(
        &self,
        driver: &str,
        command: &str,
        args: &[&str],
    ) -> std::io::Result<PathBuf> {
        let name = Path::new(command)
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let path = self.directory.join(format!("{driver}-{name}.nomad.hcl"));
        std::fs::write(&path, Job::new(driver, command, args).text())?;
        Ok(path)
    }

    /// A directory for whatever else is needed.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.nothing);
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn compile(source: &str, to: &Path) -> Result<(), Box<dyn Error>> {
    let source = suite::binaries::repository().join("benches").join(source);
    let status = Command::new("cc")
        .args(["-O2", "-Wall", "-static", "-o"])
        .arg(to)
        .arg(&source)
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("cc {}: {status}", source.display()).into())
    }
}

fn release_build() -> Result<PathBuf, Box<dyn Error>> {
    let arguments = [
        "build",
        "--quiet",
        "--release",
        "--locked",
        "--package",
        "encamp",
    ];
    let status = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(suite::binaries::repository())
        .status()?;
    if !status.success() {
        return Err(format!("cargo {}: {status}", arguments.join(" ")).into());
    }
    // This program lies in target/release; so does that one.
    let own = std::env::current_exe()?;
    let target = own
        .ancestors()
        .nth(2)
        .ok_or("no target directory above this program")?;
    Ok(target.join("release/encamp"))
}
