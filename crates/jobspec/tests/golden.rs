//! Job files and what becomes of them: a job as JSON, or the list of mistakes.
//!
//! `UPDATE_GOLDEN=1 cargo test -p jobspec` writes the expected files anew; read the difference before committing it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use jobspec::{CODES, Diagnostic, Scope, evaluate, parse};

const SUFFIX: &str = ".nomad.hcl";

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn job_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(SUFFIX))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no job files in {}", directory.display());
    files
}

fn stem(path: &Path) -> &str {
    path.file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .trim_end_matches(SUFFIX)
}

fn compare(expected: &Path, got: &str) {
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(expected, got).unwrap();
        return;
    }
    let wanted = fs::read_to_string(expected).unwrap_or_default();
    assert!(
        wanted == got,
        "{}\n--- expected\n{wanted}\n--- got\n{got}",
        expected.display()
    );
}

fn shown(diagnostic: &Diagnostic, file: &str, text: &str) -> String {
    let mut shown = format!(
        "{}\n  code:    {}\n",
        diagnostic.one_line(file, text),
        diagnostic.code
    );
    shown += &format!("  at:      {:?}\n", &text[diagnostic.span.clone()]);
    if let Some(context) = &diagnostic.context {
        shown += &format!("  context: {context}\n");
    }
    if let Some(fix) = &diagnostic.fix {
        shown += &format!("  fix:     {fix}\n");
    }
    shown
}

fn compare_job(file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    let job = parse(stem(file), &text)
        .unwrap_or_else(|mistakes| panic!("{}: {mistakes:#?}", file.display()));
    let json = serde_json::to_string_pretty(&job).unwrap() + "\n";
    let expected = here()
        .join("tests/golden/jobs")
        .join(stem(file))
        .with_extension("json");
    compare(&expected, &json);
    let warnings = job.warnings.iter();
    let shown: String = warnings
        .map(|warning| shown(warning, "job.hcl", &text))
        .collect();
    if !shown.is_empty() {
        compare(&expected.with_extension("warnings.txt"), &shown);
    }
}

#[test]
fn the_examples_are_the_jobs_they_look_like() {
    for file in job_files(&here().join("../../examples")) {
        compare_job(&file);
    }
}

#[test]
fn jobs_are_read_with_all_their_values() {
    for file in job_files(&here().join("tests/golden/jobs")) {
        compare_job(&file);
    }
}

/// What is wrong with a file, or with the `config` of its tasks once the environment is known.
fn mistakes(text: &str) -> Result<(), Vec<Diagnostic>> {
    let scope = Scope {
        env: [("NOMAD_TASK_DIR".to_owned(), "/local".to_owned())].into(),
        ..Scope::default()
    };
    let job = parse("job.hcl", text)?;
    let tasks = job.groups.iter().flat_map(|group| &group.tasks);
    let mut found = Vec::new();
    for task in tasks {
        found.extend(evaluate(&task.config, &scope).err().into_iter().flatten());
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}

#[test]
fn mistakes_are_explained() {
    for file in job_files(&here().join("tests/golden/mistakes")) {
        let text = fs::read_to_string(&file).unwrap();
        let mistakes = mistakes(&text).expect_err(stem(&file));
        let shown: String = mistakes
            .iter()
            .map(|mistake| shown(mistake, "job.hcl", &text))
            .collect();
        compare(&file.with_file_name(format!("{}.txt", stem(&file))), &shown);
    }
}

/// The code of a file of more than 16 MiB, which nobody wants in a repository, that of a result that takes more work than may be, which nobody
/// wants to make once for each mutation, and those that need more than one file.
const TESTED_ELSEWHERE: [&str; 5] = ["E1010", "E1113", "E1405", "E1409", "E1410"];

#[test]
fn every_code_has_its_example() {
    let mut seen = BTreeSet::from(TESTED_ELSEWHERE);
    for file in job_files(&here().join("tests/golden/mistakes")) {
        let text = fs::read_to_string(&file).unwrap();
        seen.extend(
            mistakes(&text)
                .expect_err(stem(&file))
                .iter()
                .map(|mistake| mistake.code),
        );
    }
    for file in job_files(&here().join("tests/golden/jobs")) {
        let text = fs::read_to_string(&file).unwrap();
        let job = parse("job.hcl", &text).unwrap();
        seen.extend(job.warnings.iter().map(|warning| warning.code));
    }
    let all: BTreeSet<&str> = CODES.iter().map(|code| code.id).collect();
    assert_eq!(seen, all);
}
