//! Makes the checked-in Rust of the plugin's `.proto` files, so that building the program needs no generator.
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Outcome, Repository};

/// Where the descriptions are, from the repository's root.
const PROTO: &str = "crates/plugin/proto";
/// Where the Rust made of them is.
const GENERATED: &str = "crates/plugin/src/generated";

/// Writes the Rust.
pub(crate) fn run(repository: &Repository) -> Outcome {
    generate(&repository.root, false)
}

/// Finds what is not as it would be written.
pub(crate) fn check(repository: &Repository) -> Outcome {
    generate(&repository.root, true)
}

fn generate(root: &Path, check: bool) -> Outcome {
    let committed = root.join(GENERATED);
    let fresh = root.join("target/generated-protos");
    let _ = fs::remove_dir_all(&fresh);
    fs::create_dir_all(&fresh)?;
    compile(&root.join(PROTO), &fresh)?;
    if check {
        compare(&fresh, &committed)
    } else {
        replace(&fresh, &committed)?;
        Ok(Vec::new())
    }
}

fn compile(descriptions: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let files = protox::compile(names(descriptions)?, [descriptions])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .btree_map(".")
        .out_dir(out)
        .compile_fds(files)?;
    Ok(())
}

fn compare(fresh: &Path, committed: &Path) -> Outcome {
    let read = |directory: &Path, name: &Path| fs::read(directory.join(name)).ok();
    let mut names: Vec<_> = names(fresh)?.into_iter().chain(names(committed)?).collect();
    names.sort();
    names.dedup();
    names.retain(|name| read(fresh, name) != read(committed, name));
    let say = |name: &PathBuf| format!("{GENERATED}/{}: not what {PROTO} gives", name.display());
    Ok(names.iter().map(say).collect())
}

fn replace(fresh: &Path, committed: &Path) -> Result<(), Box<dyn Error>> {
    let _ = fs::remove_dir_all(committed);
    fs::create_dir_all(committed)?;
    for name in names(fresh)? {
        fs::copy(fresh.join(&name), committed.join(&name))?;
    }
    Ok(())
}

/// File names in a directory, sorted.
fn names(directory: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(PathBuf::from(entry?.file_name()));
    }
    names.sort();
    Ok(names)
}
