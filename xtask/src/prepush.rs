//! What CI runs and needs no root for, in one go before a push.
use std::process::Command;
use std::time::Instant;

use crate::{Outcome, Repository, check, licences};

/// Arguments of cargo, and a variable that it needs.
type Call = (
    &'static [&'static str],
    Option<(&'static str, &'static str)>,
);

/// What is asked of cargo.
const CALLS: &[Call] = &[
    (&["fmt", "--all", "--check"], None),
    (
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
        None,
    ),
    (
        &[
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
            "--locked",
        ],
        Some(("RUSTDOCFLAGS", "-D warnings")),
    ),
];

/// Runs everything, also after a failure, and returns all that was found.
pub(crate) fn run(repository: &Repository) -> Outcome {
    let mut found = Vec::new();
    for (arguments, environment) in CALLS {
        found.extend(cargo(repository, arguments, *environment)?);
    }
    found.extend(check::run(repository)?);
    found.extend(licences::run(repository)?);
    found.extend(deny(repository)?);
    Ok(found)
}

fn cargo(
    repository: &Repository,
    arguments: &[&str],
    environment: Option<(&str, &str)>,
) -> Result<Option<String>, std::io::Error> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let line = format!("cargo {}", arguments.join(" "));
    println!("xtask: {line}");
    let begin = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .envs(environment)
        .current_dir(&repository.root)
        .status()?;
    println!("xtask: {line}: {:.1} s", begin.elapsed().as_secs_f64());
    Ok((!status.success()).then(|| format!("{line}: {status}")))
}

/// cargo-deny knows more (duplicates, yanked versions); it is not asked of anybody, since it takes minutes to build.
fn deny(repository: &Repository) -> Result<Option<String>, std::io::Error> {
    let installed = Command::new("cargo-deny")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !installed {
        println!(
            "xtask: SKIPPED cargo deny: not installed (`cargo install cargo-deny --locked`); `cargo xtask licences` was run"
        );
        return Ok(None);
    }
    cargo(
        repository,
        &["deny", "--offline", "check", "bans", "licenses", "sources"],
        None,
    )
}
