//! The suite on this machine, through a program that takes something of its kernel away.
use std::process::{Command, Stdio};

use super::log::Log;
use super::programs::{Programs, SUITE};
use super::rows::{Row, Through};
use super::{Result, Store};

/// Runs it to its end. Its tests have deadlines of their own.
pub(crate) fn play(
    store: &Store,
    programs: &Programs,
    row: &Row,
    through: &Through,
) -> Result<Log> {
    let mut words = through
        .iter()
        .map(|word| programs.directory.join(word))
        .take(1);
    let suite = programs.directory.join(SUITE);
    let mut command = match words.next() {
        Some(first) => {
            let mut command = Command::new(first);
            command.args(&through[1..]).arg(&suite);
            command
        }
        None => Command::new(&suite),
    };
    for (name, _) in row.left_out {
        command.args(["--skip", name]);
    }
    let output = command
        .env("ENCAMP_TEST_PROGRAMS", &programs.directory)
        .env("CARGO", "cargo")
        .current_dir(store.root.join("tests"))
        .stdin(Stdio::null())
        .output()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    std::fs::write(store.kept("logs")?.join(row.name), text.as_bytes())?;
    let broken = (!output.status.success() && !text.contains("test result:"))
        .then(|| format!("the suite broke off: {}", output.status));
    Ok(Log::new(&text, broken))
}
