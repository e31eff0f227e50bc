//! The rules of the house, each in a file of its own.
mod directions;
mod length;
mod marks;
mod unsafety;
mod words;

use crate::source::Source;
use crate::{Outcome, Repository};

/// Runs every check and returns what all of them found.
pub(crate) fn run(repository: &Repository) -> Outcome {
    let sources = Source::all(&repository.root, "crates")?;
    let production = production(&sources);
    let mut found = directions::check(&repository.metadata);
    found.extend(words::check(&sources));
    found.extend(unsafety::check_tokens(&everything(repository)?));
    found.extend(unsafety::check_roots(&roots(repository)?));
    found.extend(length::check(&production));
    found.extend(marks::check_unwraps(&production));
    found.extend(marks::check_unfinished(&marks::texts(&repository.root)?));
    Ok(found)
}

/// The files that end up in the binary and were written by hand.
fn production(sources: &[Source]) -> Vec<&Source> {
    let for_tests: Vec<_> = sources.iter().flat_map(Source::test_modules).collect();
    let by_hand = sources
        .iter()
        .filter(|source| !source.is_test() && !source.is_generated());
    by_hand
        .filter(|source| !for_tests.contains(&source.path))
        .collect()
}

/// Every Rust file of the repository, tests and tools included.
fn everything(repository: &Repository) -> std::io::Result<Vec<Source>> {
    Source::all(&repository.root, ".")
}

/// The root file of every library and program.
fn roots(repository: &Repository) -> std::io::Result<Vec<Source>> {
    let targets = repository
        .metadata
        .own()
        .flat_map(|package| &package.targets)
        .filter(|target| target.product);
    targets
        .map(|target| {
            let text = std::fs::read_to_string(&target.path)?;
            let path = target
                .path
                .strip_prefix(&repository.root)
                .unwrap_or(&target.path);
            Ok(Source::new(path, text))
        })
        .collect()
}
