//! Each job of `examples/` is run as a reader would run it, under every driver that it is for, to its output and exit code.
//!
//! What is expected stands beside the job, in `<name>.expected`; [`expected`] says how to read it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod expected;
mod patterns;
mod server;
mod visit;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use suite::binaries::{encamp, repository};
use suite::need::{programs, require};
use suite::{Need, Outcome, Running, World};

use expected::{End, Expected};

/// How the name of a job file ends, and that of what comes of it.
const JOB: &str = ".nomad.hcl";
const EXPECTED: &str = ".expected";

#[test]
fn every_example_says_what_comes_of_it() {
    let (jobs, expected) = (names(JOB), names(EXPECTED));
    assert_eq!(jobs, expected, "examples, and what is expected of them");
    assert!(!jobs.is_empty());
}

#[test]
fn every_example_comes_out_as_it_says() {
    if !require(&[
        Need::Root,
        Need::Cgroup,
        Need::Landlock,
        Need::DetachedMounts,
    ]) {
        return;
    }
    let failed: Vec<String> = names(JOB).iter().flat_map(|name| failures(name)).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn names(ending: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(directory()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter_map(|name| name.strip_suffix(ending).map(str::to_owned))
        .collect()
}

fn directory() -> PathBuf {
    repository().join("examples")
}

/// What goes wrong with one example, under each of its drivers.
fn failures(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(directory().join(format!("{name}{EXPECTED}"))).unwrap();
    let expected = Expected::read(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    if !programs(&expected.needs) {
        return Vec::new();
    }
    let world = World::shared();
    let written = std::fs::read_to_string(directory().join(format!("{name}{JOB}"))).unwrap();
    expected
        .drivers(&written)
        .iter()
        .filter_map(|driver| {
            let file = under(driver, name, &written, world.directory());
            let problem = check(&file, &expected)?;
            Some(format!("{name} under {driver}: {problem}"))
        })
        .collect()
}

/// The example itself, or the same with another driver.
fn under(driver: &str, name: &str, written: &str, scratch: &Path) -> PathBuf {
    let other = if driver == "exec" { "exec2" } else { "exec" };
    let (asked, others) = (format!("\"{driver}\""), format!("= \"{other}\""));
    if !written.contains(&others) {
        return directory().join(format!("{name}{JOB}"));
    }
    let file = scratch.join(format!("{name}{JOB}"));
    std::fs::write(&file, written.replace(&others, &format!("= {asked}"))).unwrap();
    file
}

fn check(file: &Path, expected: &Expected) -> Option<String> {
    let files = expected
        .serves
        .as_ref()
        .map(|path| server::serve(&repository().join(path)));
    let mut command = Command::new(encamp());
    command.arg("run").args(&expected.arguments);
    if let Some(server) = &files {
        command.args(server.variables());
    }
    command.arg(file).current_dir(repository());
    let running = Running::start(&mut command);
    let problem = until_its_end(&running, &expected.end);
    let outcome = running.wait();
    problem.map_or_else(
        || compare(&outcome, expected),
        |problem| Some(format!("{problem}\n{outcome}")),
    )
}

/// Stops what does not end by itself, and says what was wrong before that.
fn until_its_end(running: &Running, end: &End) -> Option<String> {
    let problem = match end {
        End::Own => return None,
        End::After(text) => {
            match text.strip_prefix("! ") {
                Some(told) => running.wait_for_stderr(told),
                None => running.wait_for_stdout(text),
            };
            None
        }
        End::Visit { url, text } => visit::visit(url, text).err(),
    };
    running.signal(Signal::INT);
    problem
}

fn compare(outcome: &Outcome, expected: &Expected) -> Option<String> {
    let mut problems = Vec::new();
    if outcome.code != Some(expected.exit) {
        problems.push(format!("exit code is not {}", expected.exit));
    }
    let said: Vec<&str> = outcome.stdout.lines().collect();
    if !patterns::all(&expected.stdout, &said) {
        problems.push(format!(
            "standard output is not\n{}",
            expected.stdout.join("\n")
        ));
    }
    let told: Vec<&str> = outcome.stderr.lines().collect();
    if let Some(missing) = patterns::missing(&expected.stderr, &told) {
        problems.push(format!(
            "standard error has no line, or none there: {missing}"
        ));
    }
    (!problems.is_empty()).then(|| format!("{}\n{outcome}", problems.join("\n")))
}
