//! The programs under test and those that test, in one directory, which is `ENCAMP_TEST_PROGRAMS` of the suite.
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Result, Store};

/// The directory.
pub(crate) struct Programs {
    pub(crate) directory: PathBuf,
}

/// The suite.
pub(crate) const SUITE: &str = "isolation";

/// The program that drives both plugins through Nomad's own client code.
pub(crate) const PLUGIN_HOST: &str = "nomad-host";

/// Where Go's own archives put it, which is on nobody's `PATH` by itself.
const USUAL_GO: &str = "/usr/local/go/bin/go";

/// Where the C programs of the suite lie.
const C: &str = "tests/isolation";

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

impl Programs {
    /// Builds what has changed.
    pub(crate) fn build(store: &Store) -> Result<Programs> {
        let programs = Programs {
            directory: store.kept("programs")?,
        };
        let encamp = cargo(store, &["build", "--package", "encamp"], None, "encamp")?;
        programs.take(&encamp, "encamp")?;
        let test = ["test", "--package", "suite", "--test", SUITE, "--no-run"];
        programs.take(&cargo(store, &test, None, SUITE)?, SUITE)?;
        programs.take(&probe(store)?, "probe")?;
        for source in c_sources(&store.root.join(C))? {
            programs.compile(&source)?;
        }
        Ok(programs)
    }

    /// Without debugging symbols, which are most of it.
    fn take(&self, from: &Path, name: &str) -> Result<()> {
        let mut strip = Command::new("strip");
        strip.arg("--strip-debug").arg("-o");
        strip.arg(self.directory.join(name)).arg(from);
        succeed(&mut strip)
    }

    fn compile(&self, source: &Path) -> Result<()> {
        let name = source.file_stem().ok_or("a C file without a name")?;
        let mut cc = Command::new("cc");
        cc.args(["-static", "-O1", "-Wall", "-Werror", "-o"]);
        cc.arg(self.directory.join(name)).arg(source);
        succeed(&mut cc)
    }
}

/// Builds the plugin's host, static and without its symbols, which are a third of it.
pub(crate) fn plugin_host(store: &Store) -> Result<PathBuf> {
    let host = store.kept("go")?.join(PLUGIN_HOST);
    let go = ["go", USUAL_GO]
        .into_iter()
        .find(|go| Command::new(go).arg("version").output().is_ok())
        .ok_or("no go on this machine, which builds tests/plugin/go")?;
    let mut build = Command::new(go);
    build.args(["build", "-mod=readonly", "-ldflags", "-s -w", "-o"]);
    build.arg(&host).arg(".").env("CGO_ENABLED", "0");
    succeed(build.current_dir(store.root.join("tests/plugin/go")))?;
    Ok(host)
}

/// The probe as the suite builds it, static.
fn probe(store: &Store) -> Result<PathBuf> {
    let target = store.target.join("probe").display().to_string();
    let arguments = [
        "build",
        "--release",
        "--package",
        "probe",
        "--target",
        TRIPLE,
        "--target-dir",
        &target,
    ];
    cargo(
        store,
        &arguments,
        Some("-C target-feature=+crt-static"),
        "probe",
    )
}

fn c_sources(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            sources.push(path);
        }
    }
    Ok(sources)
}

/// Runs cargo and finds the executable of a target in what it says.
fn cargo(
    store: &Store,
    arguments: &[&str],
    rustflags: Option<&str>,
    target: &str,
) -> Result<PathBuf> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command
        .args(arguments)
        .args(["--locked", "--message-format=json-render-diagnostics"])
        .current_dir(&store.root);
    if let Some(flags) = rustflags {
        command.env_remove("CARGO_ENCODED_RUSTFLAGS");
        command.env("RUSTFLAGS", flags);
    }
    let output = command.stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("cargo {}: {}", arguments.join(" "), output.status).into());
    }
    executable(&String::from_utf8_lossy(&output.stdout), target)
        .ok_or_else(|| format!("cargo {}: no executable {target}", arguments.join(" ")).into())
}

fn executable(messages: &str, target: &str) -> Option<PathBuf> {
    messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == target).then_some(())?;
        Some(PathBuf::from(message["executable"].as_str()?))
    })
}

/// Runs a program that must succeed.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// What a program that must succeed prints.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{command:?}: {}\n{said}", output.status).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
