//! The fuzz targets, built with the toolchain that is installed and each run for a while.
//!
//! Coverage is what `rustc` itself can put in: the passes that `cargo fuzz --sanitizer none` asks for are no matter of nightly.
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Instant, SystemTime};

use crate::{Outcome, Repository};

/// Named, so that build scripts and macros are built without coverage.
const TARGET: &str = "x86_64-unknown-linux-gnu";

const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// What one input may take.
const LIMITS: [&str; 3] = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=65536"];

const SECONDS: u64 = 60;

struct Request {
    seconds: u64,
    targets: Vec<String>,
}

/// Runs what was asked for: `[--seconds N] [TARGET...]`.
pub(crate) fn run(repository: &Repository) -> Outcome {
    let directory = repository.root.join("fuzz");
    let request = request(&directory)?;
    build(&directory)?;
    let mut found = Vec::new();
    for target in &request.targets {
        found.extend(fuzz(&directory, target, request.seconds)?);
    }
    Ok(found)
}

fn request(directory: &Path) -> Result<Request, Box<dyn Error>> {
    let known = targets(directory)?;
    let mut request = Request {
        seconds: SECONDS,
        targets: Vec::new(),
    };
    let mut words = std::env::args().skip(2);
    while let Some(word) = words.next() {
        if word == "--seconds" {
            request.seconds = words.next().ok_or("--seconds wants a number")?.parse()?;
        } else if known.contains(&word) {
            request.targets.push(word);
        } else {
            return Err(format!(
                "there is no target {word:?}; there are {}",
                known.join(", ")
            )
            .into());
        }
    }
    if request.targets.is_empty() {
        request.targets = known;
    }
    Ok(request)
}

/// Each file in `targets/` is one.
fn targets(directory: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory.join("targets"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "rs") {
            names.extend(
                path.file_stem()
                    .map(|name| name.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort();
    Ok(names)
}

fn build(directory: &Path) -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(program)
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--bins",
            "--target",
            TARGET,
        ])
        .env("RUSTFLAGS", COVERAGE)
        .env("CARGO_TARGET_DIR", directory.join("target"))
        .current_dir(directory)
        .status()?;
    println!(
        "xtask: fuzz targets built: {:.1} s",
        begin.elapsed().as_secs_f64()
    );
    if status.success() {
        Ok(())
    } else {
        Err(format!("the fuzz targets cannot be built: {status}").into())
    }
}

fn fuzz(directory: &Path, target: &str, seconds: u64) -> Result<Option<String>, Box<dyn Error>> {
    let built = directory
        .join("target")
        .join(TARGET)
        .join("release")
        .join(target);
    let grown = directory.join("target/corpus").join(target);
    let crashes = directory.join("target/crashes").join(target);
    for fresh in [&grown, &crashes] {
        std::fs::create_dir_all(fresh)?;
    }
    println!("xtask: fuzz {target}: {seconds} s");
    let begin = SystemTime::now();
    let scratch = Scratch::new(target)?;
    let output = Command::new(built)
        .env("TMPDIR", &scratch.0)
        .args(LIMITS)
        .args([
            format!("-max_total_time={seconds}"),
            "-print_final_stats=1".to_owned(),
        ])
        .arg(format!("-artifact_prefix={}/", crashes.display()))
        .arg(&grown)
        .arg(directory.join("corpus").join(target))
        .current_dir(directory)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        said.lines()
            .filter(|line| line.contains("number_of_executed_units") || line.contains("DONE"))
            .for_each(|line| println!("xtask: fuzz {target}: {line}"));
        return Ok(None);
    }
    Ok(Some(report(target, &said, &crashes, begin)?))
}

/// Where a target may write; in memory, where there is a place for it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(target: &str) -> std::io::Result<Scratch> {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let own = base.join(format!("encamp-fuzz-{target}-{}", std::process::id()));
        std::fs::create_dir(&own)?;
        Ok(Scratch(own))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What was said, and the input that it was said of.
fn report(
    target: &str,
    said: &str,
    crashes: &Path,
    begin: SystemTime,
) -> Result<String, Box<dyn Error>> {
    let lines: Vec<&str> = said.lines().collect();
    let end = lines[lines.len().saturating_sub(40)..].join("\n");
    let Some(input) = newest(crashes, begin)? else {
        return Ok(format!("fuzz {target} failed:\n{end}"));
    };
    let text = String::from_utf8_lossy(&std::fs::read(&input)?).into_owned();
    Ok(format!(
        "fuzz {target} failed:\n{end}\ninput {}:\n{text:?}",
        input.display()
    ))
}

/// Of this run: an earlier one may have left some, too.
fn newest(directory: &Path, begin: SystemTime) -> Result<Option<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        files.push((entry.metadata()?.modified()?, entry.path()));
    }
    files.retain(|(modified, _)| *modified >= begin);
    files.sort();
    Ok(files.pop().map(|(_, path)| path))
}
