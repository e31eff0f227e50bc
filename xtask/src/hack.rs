//! Our plugins in a Nomad agent on this machine: built, put where the agent finds them, and the agent started with them.
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, Repository};

/// The file names, which are the labels of the blocks below.
const PLUGINS: [&str; 2] = ["exec", "nomad-driver-exec2"];

/// As a system service has it. Tasks of `exec2` look for their commands along the agent's, and what a person's own `PATH` leads to lies in
/// that person's home, where no task may go.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The fingerprinters that are left out ask networks of clouds, and wait for them.
const CONFIGURATION: &str = r#"client {
  options = { "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean" }
}
plugin "exec" {
  config {}
}
plugin "nomad-driver-exec2" {
  config {
    unveil_by_task = true
  }
}
"#;

/// Becomes the agent; comes back only when it cannot. What follows the verb goes to the agent.
pub(crate) fn run(repository: &Repository) -> Outcome {
    let nomad = nomad().ok_or(
        "there is no nomad on PATH, and ENCAMP_NOMAD names none: https://developer.hashicorp.com/nomad/install",
    )?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| repository.root.join("target"));
    build(repository)?;
    let place = target.join("hack");
    install(&target.join("release/encamp"), &place.join("plugins"))?;
    let configuration = place.join("agent.hcl");
    std::fs::write(&configuration, CONFIGURATION)?;
    println!("xtask hack: {}", nomad.display());
    let mut agent = Command::new(&nomad);
    agent
        .args(["agent", "-dev", "-plugin-dir"])
        .arg(place.join("plugins"));
    agent
        .arg("-config")
        .arg(configuration)
        .args(std::env::args().skip(2))
        .env("PATH", SYSTEM_PATH);
    Err(format!("{}: {}", nomad.display(), agent.exec()).into())
}

/// By `ENCAMP_NOMAD`, or along `PATH`.
fn nomad() -> Option<PathBuf> {
    let named = std::env::var_os("ENCAMP_NOMAD").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|directory| directory.join("nomad"));
    named.or_else(|| found.find(|path| path.is_file()))
}

fn build(repository: &Repository) -> Result<(), Box<dyn std::error::Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--locked", "--package", "encamp"]);
    let status = build.current_dir(&repository.root).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("cargo build: {status}").into())
    }
}

/// Copies, each in place of one that may still be running.
fn install(program: &Path, plugins: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(plugins)?;
    for name in PLUGINS {
        let new = plugins.join(".new");
        std::fs::copy(program, &new)?;
        std::fs::rename(new, plugins.join(name))?;
    }
    Ok(())
}
